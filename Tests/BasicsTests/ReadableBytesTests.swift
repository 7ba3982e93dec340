import Basics
import Testing

@Suite struct ReadableBytesTests {
    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (98304, "96 KiB"), (4_718_592, "4.5 MiB"),
            (1_207_959_552, "1.1 GiB"), (1 << 40, "1 TiB"), (UInt64.max, "16384 PiB"),
        ] as [(UInt64, String)])
    func twoDigitsThatMatter(byteCount: UInt64, text: String) {
        #expect(ReadableBytes.text(byteCount) == text)
    }
}
