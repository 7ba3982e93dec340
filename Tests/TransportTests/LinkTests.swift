import Basics
import Logging
import Synchronization
import Testing
import Transport
import Wire

/// What links owe their users, over real sockets and real TLS.
struct LinkTests {
    @Test(arguments: [0, 1, 4095, 16344, 16345, 16384, 16385, 65536, 1 << 20, Limits.Wire.echoPayloadBytesMax])
    func echoesComeBackAsTheyWere(count: Int) throws {
        let pair = try LinkPair()
        defer { pair.stop() }
        let sent = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        let reply = try pair.link.request(
            kind: .echo, FrameBuffer(payload: sent), timeoutMilliseconds: LinkPair.patience)
        #expect(reply.kind == .echoReply)
        #expect(reply.isLast)
        #expect(UInt(bitPattern: reply.payload.baseAddress) % 64 == 0)
        #expect(reply.payload.elementsEqual(sent))
    }
}
