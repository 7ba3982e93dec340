import Basics
import Testing
import Wire

/// Payloads and headers that nobody would send on purpose: they are refused or mean something, and never trap.
struct FuzzTests {
    @Test(arguments: MessageKind.allCases) func changedPayloadsAreRefusedOrMeanSomething(kind: MessageKind) throws {
        let sample = try Samples.payload(of: kind)
        var random = SeededRandom(seed: UInt64(kind.rawValue))
        for _ in 0..<2000 {
            let payload = mutated(sample, &random)
            guard let again = try? Samples.reencoded(payload, as: kind) else { continue }
            // What was understood is stable: written and read again it is the same. (A refusal of an unknown code and
            // JSON may be written differently from how they came.)
            #expect(try Samples.reencoded(again, as: kind) == again)
        }
    }

    @Test(arguments: MessageKind.allCases) func randomPayloadsAreRefusedOrMeanSomething(kind: MessageKind) throws {
        var random = SeededRandom(seed: 1000 + UInt64(kind.rawValue))
        for _ in 0..<1000 {
            let count = Int.random(in: 0...200, using: &random)
            let payload = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) & 0x83 }
            _ = try? Samples.reencoded(payload, as: kind)
        }
    }

    @Test(arguments: MessageKind.allCases) func everyPrefixIsRefused(kind: MessageKind) throws {
        let sample = try Samples.payload(of: kind)
        switch kind {
        case .echo, .echoReply: return
        default: break
        }
        for count in 0..<sample.count {
            #expect(throws: WireError.self, "\(count) of \(sample.count)") {
                try Samples.reencoded(Array(sample.prefix(count)), as: kind)
            }
        }
        if !sample.isEmpty, kind != .status {
            #expect(throws: WireError.self) { try Samples.reencoded(sample + [0], as: kind) }
        }
    }

    @Test func randomHeadersAreRefusedOrMeanSomething() throws {
        var random = SeededRandom(seed: 5)
        var acceptedCount = 0
        for _ in 0..<20000 {
            var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
            bytes.withUnsafeMutableBytes {
                FrameHeader(kind: .echo, payloadByteCount: 100, requestID: 3).encode(into: $0)
            }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<40, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            do {
                let header = try bytes.withUnsafeBytes { try FrameHeader(decoding: $0) }
                #expect(header.payloadByteCount <= header.kind.payloadBytesMax)
                var again = [UInt8](repeating: 0, count: FrameHeader.byteCount)
                again.withUnsafeMutableBytes { header.encode(into: $0) }
                #expect(again == bytes)
                acceptedCount += 1
            } catch let refusal as HeaderRefusal {
                #expect((refusal.skippedByteCount ?? 0) <= Limits.Wire.activationPayloadBytesMax)
            }
        }
        #expect(acceptedCount > 1000)
    }

    private func mutated(_ sample: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var payload = sample
        for _ in 0..<Int.random(in: 1...3, using: &random) where !payload.isEmpty {
            let position = Int.random(in: 0..<payload.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: payload[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: payload[position] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
            case 2: payload.removeSubrange(position...)
            case 3: payload.insert(UInt8.random(in: 0...255, using: &random), at: position)
            default:
                // A length of four bytes becomes huge.
                for index in position..<min(position + 4, payload.count) { payload[index] = 0xFF }
            }
        }
        return payload
    }
}
