import Basics
import Testing
import Wire

/// What is refused, and with which words.
struct MessageTests {
    @Test func lengthsBeyondLimitsAreRefusedBeforeMemoryIsTaken() throws {
        var writer = ByteWriter()
        writer.integer(UInt64(1))
        writer.fixedBytes(repeatElement(UInt8(0), count: 32))
        writer.integer(UInt8(1))
        writer.integer(UInt32.max)
        #expect(throws: WireError.beyondLimit(field: "shards", value: 4_294_967_295, limit: Limits.Wire.shardsMax)) {
            try Assign(payload: writer.bytes)
        }
        var short = ByteWriter()
        short.integer(UInt32(1000))
        short.fixedBytes([1, 2, 3])
        #expect(
            throws: WireError.truncated(
                field: "prompt", neededByteCount: 4000, remainingByteCount: 3, byteOffset: 0)
        ) { try Generate(payload: short.bytes) }
    }

    @Test func whatIsTooLargeIsNotWritten() throws {
        var hello = Samples.hello
        hello.node = NodeID(String(repeating: "n", count: 65))
        #expect(throws: WireError.beyondLimit(field: "node", value: 65, limit: 64)) { try hello.payload() }
        hello = Samples.hello
        hello.modelDigest = ModelDigest(hexadecimal: "ABCD")
        #expect(throws: WireError.self) { try hello.payload() }
        hello = Samples.hello
        hello.listenAddress = String(repeating: "h", count: 265)
        #expect(throws: WireError.beyondLimit(field: "listenAddress", value: 265, limit: 264)) { try hello.payload() }
        var files = Samples.modelFiles
        files.files[0].name = "../secret"
        #expect(throws: WireError.invalidValue(field: "name", reason: "'../secret' is not the name of a file")) {
            try files.payload()
        }
    }

    @Test func refusalsCanAlwaysBeSent() throws {
        for message in ["", String(repeating: "x", count: 100_000), String(repeating: "ü", count: 5000)] {
            let again = try Refusal(payload: try Refusal(.overloaded, message).payload())
            #expect(again.code == .overloaded)
            #expect(message.hasPrefix(again.message.prefix(1000)))
            #expect(again.message.utf8.count <= Limits.Wire.refusalMessageBytesMax)
        }
        var writer = ByteWriter()
        writer.integer(UInt16(60000))
        try writer.string("message", "from the future", bytesMax: 100)
        #expect(try Refusal(payload: writer.bytes) == Refusal(.internalError, "unknown code 60000: from the future"))
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func parametersAreFinite(value: Float) throws {
        var generate = Samples.generate
        generate.sampling.topP = value
        let payload = try generate.payload()
        #expect(throws: WireError.invalidValue(field: "topP", reason: "is \(value)")) {
            try Generate(payload: payload)
        }
    }

    @Test func versionsThatOverlapWorkTogether() throws {
        #expect(try ProtocolVersion.negotiate(oldest: 1, newest: 1) == 1)
        #expect(try ProtocolVersion.negotiate(oldest: 1, newest: 9, ours: 1...3) == 3)
        #expect(try ProtocolVersion.negotiate(oldest: 2, newest: 4, ours: 3...7) == 4)
        for (oldest, newest) in [(UInt16(4), UInt16(5)), (0, 0), (2, 1)] {
            #expect(throws: Refusal.self) {
                try ProtocolVersion.negotiate(oldest: oldest, newest: newest, ours: 1...3)
            }
        }
    }

    @Test func rulesAreTheSameAsBitsAndAsSets() {
        for kind in MessageKind.allCases {
            for role in Role.allCases {
                for linkClass in LinkClass.allCases {
                    let isAllowed = kind.senders.contains(role) && kind.linkClasses.contains(linkClass)
                    #expect((kind.objection(sender: role, linkClass: linkClass) == nil) == isAllowed)
                }
            }
        }
    }

    @Test(arguments: [
        (0, UInt32(4096), "layer is 4096, the limit is 4095"),
        (4, 70000, "tokenCount is 70000, the limit is 65536"),
        (4, 1, "payload has 160 bytes, its head says 144"),
        (8, 5_000_000, "pairCount is 5000000, the limit is 4194304"),
        (12, 0, "width is 0, below 1"),
        (12, 200_000, "width is 200000, the limit is 131072"),
        (16, 1, "resultForm 1 is unknown"),
        (20, 1, "padding at byte 20 is not zero"),
        (60, 0x0100_0000, "padding at byte 63 is not zero"),
        (64, 2, "tokenRow is 2, the limit is 1"),
        (68, 65536, "expert is 65536, the limit is 65535"),
        (100, 0x0001_0000, "padding at byte 102 is not zero"),
    ])
    func dispatchesThatLieAreRefused(offset: Int, value: UInt32, reason: String) throws {
        var payload = try Samples.dispatch()
        for index in 0..<4 { payload[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
        let error = #expect(throws: WireError.self) { try Samples.reencoded(payload, as: .dispatch) }
        #expect(error?.description == reason)
    }

    @Test func headersAreRefusedWithTheReason() throws {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        bytes.withUnsafeMutableBytes { FrameHeader(kind: .hello, payloadByteCount: 4097).encode(into: $0) }
        let error = #expect(throws: HeaderRefusal.self) {
            try bytes.withUnsafeBytes { try FrameHeader(decoding: $0) }
        }
        #expect(error?.refusal == Refusal(.payloadBeyondLimit, "payload of hello has 4097 bytes, the limit is 4096"))
        #expect(error?.skippedByteCount == nil)
    }
}
