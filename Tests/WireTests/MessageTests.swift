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

    /// A node that was not upgraded yet reads and writes what it always did.
    @Test func olderVersionsLeaveOutWhatCameLater() throws {
        var generate = Samples.generate
        generate.wantsRoutedExperts = false
        #expect(try generate.payload(version: 1) == generate.payload())
        #expect(try Generate(payload: generate.payload(), version: 1) == generate)
        generate.wantsRoutedExperts = true
        #expect(throws: WireError.invalidValue(field: "wants", reason: "is 3, too much for version 1")) {
            try generate.payload(version: 1)
        }
        #expect(
            throws: WireError.invalidValue(field: "wants", reason: "is 3, which means nothing in version 1")
        ) { try Generate(payload: generate.payload(), version: 1) }

        var generated = Samples.generated
        #expect(throws: WireError.invalidValue(field: "finish", reason: "130 is unknown")) {
            try Generated(payload: generated.payload(), version: 1)
        }
        #expect(throws: WireError.invalidValue(field: "routedExperts", reason: "are unknown to version 1")) {
            try generated.payload(version: 1)
        }
        generated.tokens[0].routedExperts = nil
        #expect(try generated.payload(version: 1) == generated.payload())

        let reply = try Samples.heartbeatReply.payload(version: 1)
        #expect(reply.count == 32)
        #expect(try HeartbeatReply(payload: reply, version: 1).expertRowCount == nil)
        #expect(throws: WireError.self) { try HeartbeatReply(payload: reply) }
        #expect(throws: WireError.trailingBytes(byteCount: 8, byteOffset: 32)) {
            try HeartbeatReply(payload: Samples.heartbeatReply.payload(), version: 1)
        }
    }

    /// The experts that a peer says follow are held against limits and against what is there, before memory is taken.
    @Test func expertsThatLieAreRefused() throws {
        func decode(tokens: Int = 1, counts: [UInt16], claimed: UInt32? = nil, experts: Int) throws -> Generated {
            var writer = ByteWriter()
            writer.integer(UInt32(0))
            writer.integer(UInt32(tokens))
            for token in 0..<tokens {
                writer.integer(Int32(token))
                writer.integer(UInt16(0))
            }
            writer.integer(UInt8(128))
            writer.integer(claimed ?? UInt32(counts.count))
            for count in counts { writer.integer(count) }
            for expert in 0..<experts { writer.integer(UInt16(expert)) }
            return try Generated(payload: writer.bytes)
        }
        let good = try decode(tokens: 2, counts: [2, 0, 1], experts: 6)
        #expect(good.finish == nil)
        #expect(
            good.tokens.map { $0.routedExperts?.layers.map { $0.map(\.value) } } == [
                [[0, 1], [], [2]], [[3, 4], [], [5]],
            ])
        #expect(throws: WireError.beyondLimit(field: "countPerLayer", value: 4097, limit: 4096)) {
            try decode(counts: [], claimed: 4097, experts: 0)
        }
        #expect(
            throws: WireError.truncated(
                field: "countPerLayer", neededByteCount: 8192, remainingByteCount: 4, byteOffset: 15)
        ) { try decode(counts: [1], claimed: 4096, experts: 1) }
        #expect(throws: WireError.beyondLimit(field: "routedExperts", value: 196_605, limit: 16384)) {
            try decode(counts: [65535, 65535, 65535], experts: 0)
        }
        #expect(
            throws: WireError.truncated(
                field: "routedExperts", neededByteCount: 32768, remainingByteCount: 8, byteOffset: 21)
        ) { try decode(counts: [16384], experts: 4) }
        #expect(throws: WireError.trailingBytes(byteCount: 2, byteOffset: 25)) { try decode(counts: [2], experts: 3) }
        #expect(throws: WireError.invalidValue(field: "routedExperts", reason: "are there, and no tokens")) {
            try decode(tokens: 0, counts: [1], experts: 0)
        }
    }

    @Test func tokensOfOneAnswerVisitTheSameLayers() throws {
        let one = RoutedExperts(countPerLayer: [1], experts: [0])
        let other = RoutedExperts(countPerLayer: [2], experts: [0, 1])
        for second in [other, nil] {
            let tokens = [one, second].map { ScoredToken(token: TokenID(1), routedExperts: $0) }
            #expect(throws: WireError.self) { try Generated(tokens: tokens).payload() }
        }
        let wide = RoutedExperts(countPerLayer: [16384, 1], experts: Array(repeating: 0, count: 16385))
        #expect(throws: WireError.beyondLimit(field: "routedExperts", value: 16385, limit: 16384)) {
            try Generated(tokens: [ScoredToken(token: TokenID(1), routedExperts: wide)]).payload()
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
        (16, 3, "resultForm 3 is unknown"),
        (20, 1, "payload has 160 bytes, its head says 200"),
        (20, 2, "rowForm 2 is unknown"),
        (24, 2, "activationForm 2 is unknown"),
        (28, 1, "padding at byte 28 is not zero"),
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

    @Test func formsOfADispatchFollowTheVersion() throws {
        func layout(
            _ rows: RowForm, _ activations: ActivationForm, width: Int = 40, version: UInt16 = ProtocolVersion.newest
        ) throws(WireError) -> DispatchLayout {
            try DispatchLayout(
                layer: LayerIndex(2), tokenCount: 2, pairCount: 3, width: width, rowForm: rows,
                activationForm: activations, version: version)
        }
        #expect(try layout(.float32, .float32).payloadByteCount == 128 + 2 * 40 * 4)
        #expect(try layout(.int8Blocks, .int8).payloadByteCount == 128 + 2 * 72)
        #expect(try layout(.int8Blocks, .int8, width: 32).payloadByteCount == 128 + 2 * 36)
        #expect(throws: WireError.self) { try layout(.int8Blocks, .float32) }
        let integers = Samples.dispatch(try layout(.int8Blocks, .int8))
        let floats = Samples.dispatch(try layout(.float32, .float32))
        let old = Samples.dispatch(try layout(.float32, .int8))
        for (payload, rows, activations) in [
            (integers, RowForm.int8Blocks, ActivationForm.int8), (floats, .float32, .float32), (old, .float32, .int8),
        ] {
            let view = try Samples.withAligned(payload) { try DispatchView(decoding: $0).layout }
            #expect(view == (try layout(rows, activations)))
        }
        #expect(integers[16..<32].elementsEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
        #expect(floats[16..<32].elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]))
        #expect(integers[128...].elementsEqual((0..<2 * 72).map { UInt8(truncatingIfNeeded: $0 * 7) }))
        // Zeros mean what they meant before there were forms, and nothing else may be sent or read then.
        for version in ProtocolVersion.oldest..<ProtocolVersion.activationForms {
            #expect(Samples.dispatch(try layout(.float32, .int8, version: version)) == old)
            #expect(try Samples.withAligned(old) { try DispatchView(decoding: $0, version: version).pairs.count } == 3)
            #expect(throws: WireError.self) { try layout(.int8Blocks, .int8, version: version) }
            #expect(
                throws: WireError.invalidValue(
                    field: "activationForm", reason: "is float32, too much for version \(version)")
            ) { try layout(.float32, .float32, version: version) }
            for (payload, offset) in [(integers, 20), (floats, 24)] {
                #expect(throws: WireError.paddingNotZero(byteOffset: offset)) {
                    try Samples.withAligned(payload) { _ = try DispatchView(decoding: $0, version: version) }
                }
            }
        }
        var contradiction = integers
        contradiction[24] = 1
        let error = #expect(throws: WireError.self) { try Samples.reencoded(contradiction, as: .dispatch) }
        #expect(error?.description == "rowForm is int8Blocks, for experts that take float32")
    }

    @Test func formsOfResultsFollowTheVersion() throws {
        func layouts(
            _ form: ResultForm, width: Int = 40, version: UInt16 = ProtocolVersion.newest
        ) throws(WireError) -> (DispatchLayout, CombineLayout) {
            (
                try DispatchLayout(
                    layer: LayerIndex(2), tokenCount: 2, pairCount: 3, width: width, resultForm: form,
                    version: version),
                try CombineLayout(pairCount: 2, width: width, resultForm: form, version: version)
            )
        }
        for (form, number, rowByteCount) in [
            (ResultForm.float32, UInt8(0), 160), (.brainFloat16, 1, 80), (.int8Blocks, 2, 72),
        ] {
            let (dispatch, combine) = try layouts(form)
            #expect(combine.payloadByteCount == 64 + 2 * rowByteCount)
            let (request, answer) = (Samples.dispatch(dispatch), Samples.combine(combine))
            #expect(request[16] == number && answer[12] == number)
            #expect(try Samples.withAligned(request) { try DispatchView(decoding: $0).layout } == dispatch)
            let read = try Samples.withAligned(answer) { bytes in
                let view = try CombineView(decoding: bytes)
                return (view.layout, Array(view.row(0)) + Array(view.row(1)))
            }
            #expect(read.0 == combine && read.1 == Array(answer[64...]))
            guard form != .float32 else { continue }
            let reason = WireError.invalidValue(field: "resultForm", reason: "is \(form), too much for version 3")
            #expect(throws: reason) { try layouts(form, version: 3) }
            #expect(throws: reason) {
                try Samples.withAligned(request) { _ = try DispatchView(decoding: $0, version: 3) }
            }
            #expect(throws: WireError.paddingNotZero(byteOffset: 12)) {
                try Samples.withAligned(answer) { _ = try CombineView(decoding: $0, version: 3) }
            }
        }
        // One number of an odd width is no whole word.
        #expect(try layouts(.brainFloat16, width: 33).1.rowByteCount == 66)
        var unknown = try Samples.combine()
        unknown[12] = 3
        let error = #expect(throws: WireError.self) { try Samples.reencoded(unknown, as: .combine) }
        #expect(error?.description == "resultForm 3 is unknown")
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
