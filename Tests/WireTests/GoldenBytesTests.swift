import Basics
import Foundation
import Testing
import Wire

/// Holds the code to `docs/WIRE.md`, and the page to the code.
struct GoldenBytesTests {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("docs/WIRE.md")

    @Test func everyKindIsDescribedWithItsBytes() throws {
        var page = WirePage(text: try String(contentsOf: Self.page, encoding: .utf8))
        #expect(Set(page.kinds) == Set(MessageKind.allCases.map { "\($0.rawValue) \($0)" }))
        for kind in MessageKind.allCases {
            let bytes = try frame(kind)
            if ProcessInfo.processInfo.environment["COLONY_REWRITE_GOLDEN"] == "1" {
                page.setBytes(of: kind, bytes)
            }
            #expect(page.bytes(of: kind) == bytes, "\(kind): docs/WIRE.md shows other bytes")
        }
        if ProcessInfo.processInfo.environment["COLONY_REWRITE_GOLDEN"] == "1" {
            try page.text.write(to: Self.page, atomically: true, encoding: .utf8)
        }
    }

    @Test(arguments: MessageKind.allCases) func theBytesReadBack(kind: MessageKind) throws {
        let page = WirePage(text: try String(contentsOf: Self.page, encoding: .utf8))
        let bytes = try #require(page.bytes(of: kind))
        try #require(bytes.count >= FrameHeader.byteCount)
        let header = try bytes.withUnsafeBytes { try FrameHeader(decoding: $0) }
        #expect(header == Self.header(kind, byteCount: bytes.count - FrameHeader.byteCount))
        let payload = Array(bytes.dropFirst(FrameHeader.byteCount))
        #expect(try Samples.reencoded(payload, as: kind) == payload)
    }

    @Test func everyRefusalCodeIsDescribed() throws {
        let text = try String(contentsOf: Self.page, encoding: .utf8)
        for code in RefusalCode.allCases { #expect(text.contains("| \(code.rawValue) \(code) |"), "\(code)") }
    }

    @Test(arguments: MessageKind.allCases) func theRulesOfEachKindAreDescribed(kind: MessageKind) throws {
        let page = WirePage(text: try String(contentsOf: Self.page, encoding: .utf8))
        let section = try #require(page.section(of: kind)).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let senders =
            kind.senders.count == Role.allCases.count
            ? "everyone" : kind.senders.map(\.rawValue).sorted().joined(separator: ", ")
        #expect(section.contains("Sent by: \(senders)."), "\(kind)")
        let classes = kind.linkClasses.count == 2 ? "both classes" : kind.linkClasses.map { "\($0)" }.joined()
        #expect(section.contains("Links: \(classes)."), "\(kind)")
        let limit = kind.payloadBytesMax
        let size =
            switch limit {
            case 0: "No payload."
            case ..<1024: "Largest payload: \(limit) bytes."
            case ..<(1 << 20): "Largest payload: \(limit >> 10) KiB."
            default: "Largest payload: \(limit >> 20) MiB."
            }
        #expect(section.contains(size), "\(kind): \(size)")
    }

    /// The first frames of a link are sent before its version is agreed on.
    private static func header(_ kind: MessageKind, byteCount: Int) -> FrameHeader {
        FrameHeader(
            version: [.hello, .welcome].contains(kind) ? ProtocolVersion.oldest : ProtocolVersion.newest, kind: kind,
            flags: kind.isReply ? .last : [], payloadByteCount: byteCount, requestID: 0x0102,
            epoch: PlacementEpoch(10))
    }

    private func frame(_ kind: MessageKind) throws -> [UInt8] {
        let payload = try Samples.payload(of: kind)
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        bytes.withUnsafeMutableBytes { Self.header(kind, byteCount: payload.count).encode(into: $0) }
        return bytes + payload
    }
}

/// The page, by sections.
private struct WirePage {
    var text: String

    /// The titles of the sections of kinds: number and name.
    var kinds: [String] {
        text.split(separator: "\n").filter { $0.hasPrefix("### ") }.map { String($0.dropFirst(4)) }
    }

    func section(of kind: MessageKind) -> String? { range(of: kind).map { String(text[$0]) } }

    /// The bytes in the section's block of hexadecimal digits.
    func bytes(of kind: MessageKind) -> [UInt8]? {
        guard let block = block(of: kind) else { return nil }
        let digits = text[block].filter(\.isHexDigit)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var rest = digits[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    mutating func setBytes(of kind: MessageKind, _ bytes: [UInt8]) {
        guard let block = block(of: kind) else { return }
        var lines = ""
        for start in stride(from: 0, to: bytes.count, by: 32) {
            let groups = stride(from: start, to: min(start + 32, bytes.count), by: 4).map { group in
                bytes[group..<min(group + 4, bytes.count)].map { String(format: "%02x", $0) }.joined()
            }
            lines += groups.joined(separator: " ") + "\n"
        }
        text.replaceSubrange(block, with: lines)
    }

    private func range(of kind: MessageKind) -> Range<String.Index>? {
        guard let title = text.range(of: "### \(kind.rawValue) \(kind)\n") else { return nil }
        let end = text.range(of: "\n### ", range: title.upperBound..<text.endIndex)?.lowerBound ?? text.endIndex
        return title.lowerBound..<end
    }

    /// What stands between the fences.
    private func block(of kind: MessageKind) -> Range<String.Index>? {
        guard let section = range(of: kind), let start = text.range(of: "```hex\n", range: section),
            let end = text.range(of: "```", range: start.upperBound..<text.endIndex)
        else { return nil }
        return start.upperBound..<end.lowerBound
    }
}
