import Basics
import Logging
import ServiceSupport
import Synchronization
import Testing

/// Each event is one line that reads back to what was logged.
@Suite struct LoggingTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func append(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private func logger(_ format: LogFormat, _ lines: Lines) -> Logger {
        Logger(label: "test") { LineLogHandler(label: $0, node: "worker-1", format: format, write: lines.append) }
    }

    @Test func textLinesCarrySortedMetadata() throws {
        let lines = Lines()
        var logger = logger(.text, lines)
        logger[metadataKey: "layer"] = "3"
        logger.info("loaded", metadata: ["count": "12", "a": "two words", "e": ""])
        logger.debug("not written")
        let line = try #require(lines.all.first)
        #expect(lines.all.count == 1)
        let pattern =
            /20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ info worker-1 loaded a="two words" count=12 e="" layer=3\n/
        #expect(line.wholeMatch(of: pattern) != nil, "\(line)")
    }

    @Test func nothingBreaksTheLine() {
        let lines = Lines()
        logger(.text, lines).error("a\nb\u{1B}[31m\u{2028}", metadata: ["k\n": "v\r\nw", "tab": "\t"])
        logger(.json, lines).error("a\nb\u{1B}", metadata: ["k": "v\r\nw"])
        for line in lines.all {
            #expect(line.hasSuffix("\n") && !line.dropLast().contains { $0.isNewline || $0 == "\u{1B}" }, "\(line)")
        }
    }

    @Test func jsonLinesReadBack() throws {
        let lines = Lines()
        logger(.json, lines).warning(
            "slow \"peer\"", metadata: ["list": ["1", "2"], "map": ["b": "2", "a": "1"], "request": "r-1"])
        let json = try JSON(parsing: try #require(lines.all.first))
        #expect(json["level"]?.string == "warning")
        #expect(json["node"]?.string == "worker-1")
        #expect(json["logger"]?.string == "test")
        #expect(json["message"]?.string == "slow \"peer\"")
        #expect(json["metadata"]?["list"]?.array?.map(\.string) == ["1", "2"])
        #expect(json["metadata"]?["map"]?["a"]?.string == "1")
        #expect(json["metadata"]?["request"]?.string == "r-1")
    }
}
