import Basics
import Wire

/// One example of each kind, with something in every field.
enum Samples {
    static let digest = ModelDigest(hexadecimal: String(repeating: "00ff1a", count: 10) + "c0de")
    static let shards: [ShardID] = [(0, 0), (0, 5), (3, 127)].map {
        .expert(layer: LayerIndex($0.0), expert: ExpertIndex($0.1))
    }

    static let hello = Hello(
        node: NodeID("coordinator-1"), role: .coordinator, versionMin: 1, versionMax: 3, linkClass: .activations,
        modelDigest: digest, listenAddress: "[::1]:7000")
    static let welcome = Welcome(
        node: NodeID("worker-1"), role: .worker, version: 1, modelDigest: nil, memoryBudgetBytes: 8 << 30,
        threadCount: 12, instructionSet: "avx512", epoch: PlacementEpoch(9), shards: shards)
    static let refusal = Refusal(.shardNotHosted, "expert 5 of layer 3 ist nicht hier: größer")
    static let heartbeat = Heartbeat(sequence: 258)
    static let heartbeatReply = HeartbeatReply(
        sequence: 258, residentBytes: 1 << 32, dispatchCount: 1000, computeMicroseconds: 999_999,
        expertRowCount: 24_000)
    static let assign = Assign(epoch: PlacementEpoch(10), modelDigest: digest, shards: shards)
    static let assignProgress = AssignProgress(bytesLoaded: 512, bytesTotal: 1024, isComplete: false)
    static let generate = Generate(
        prompt: [1, 2, 151_643].map { TokenID($0) }, tokensMax: 100, tokensMin: 3,
        sampling: SamplingParameters(
            temperature: 0.75, topP: 0.5, topK: 40, minP: 0.125, repetitionPenalty: 1.5, presencePenalty: 0.25,
            frequencyPenalty: -0.5, logitBias: [.init(token: TokenID(7), bias: -100)], seed: 0x0123_4567_89AB_CDEF),
        stopTokens: [TokenID(151_645)], logprobCount: 5, wantsPromptLogprobs: true, wantsRoutedExperts: true)
    static let generated = Generated(
        promptTokens: [ScoredToken(token: TokenID(1)), ScoredToken(token: TokenID(2), logprob: -0.5)],
        tokens: [
            ScoredToken(
                token: TokenID(3), logprob: -1.25,
                top: [
                    TokenLogprob(token: TokenID(4), logprob: -0.75), TokenLogprob(token: TokenID(3), logprob: -1.25),
                ], routedExperts: RoutedExperts(countPerLayer: [2, 1], experts: [5, 127, 256]))
        ], finish: .stop)
    static let status = ClusterStatus(
        isReady: false, reason: "worker-1 is loading", epoch: 10,
        model: .init(
            name: "tiny", family: "qwen3_moe", digest: "00ff1a", contextTokensMax: 4096, weightBytes: 1000,
            layers: 4, mixtureLayers: [1, 3], experts: 8, expertsPerToken: 2),
        nodes: [
            .init(
                name: "worker-1", role: .worker, address: "127.0.0.2:7001", state: .loading, reason: "50 %",
                dispatches: 3, expertRows: 12, computeMicroseconds: 500)
        ],
        work: .init(runningSequences: 1, requests: 2))
    static let modelFiles = ModelFiles(
        modelName: "tiny", contextTokensMax: 4096, vocabularySize: 300,
        files: [
            .init(name: "tokenizer.json", bytes: Array("{}".utf8)), .init(name: "chat_template.jinja", bytes: []),
        ])

    static func dispatch() throws -> [UInt8] {
        try dispatch(DispatchLayout(layer: LayerIndex(2), tokenCount: 2, pairCount: 3, width: 4))
    }

    /// A dispatch of two rows to two experts in any form.
    static func dispatch(_ layout: DispatchLayout) -> [UInt8] {
        precondition(layout.tokenCount == 2 && layout.pairCount == 3)
        return [UInt8](unsafeUninitializedCapacity: layout.payloadByteCount) { buffer, count in
            let (pairs, rows) = layout.prepare(
                UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: layout.payloadByteCount))
            pairs[0] = DispatchPair(tokenRow: 0, expert: ExpertIndex(5), weight: 0.75)
            pairs[1] = DispatchPair(tokenRow: 0, expert: ExpertIndex(9), weight: 0.25)
            pairs[2] = DispatchPair(tokenRow: 1, expert: ExpertIndex(5), weight: 1)
            fill(rows, layout)
            count = layout.payloadByteCount
        }
    }

    private static func fill(_ rows: UnsafeMutableRawBufferPointer, _ layout: DispatchLayout) {
        switch layout.rowForm {
        case .float32:
            let floats = rows.bindMemory(to: Float.self)
            for index in floats.indices { floats[index] = Float(index) - 1.5 }
        case .int8Blocks:
            for index in rows.indices { rows[index] = UInt8(truncatingIfNeeded: index &* 7) }
        }
    }

    static func combine() throws -> [UInt8] { combine(try CombineLayout(pairCount: 2, width: 3)) }

    /// A combine of two rows in any form.
    static func combine(_ layout: CombineLayout) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: layout.payloadByteCount) { buffer, count in
            let payload = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: layout.payloadByteCount)
            let rows = layout.prepare(payload)
            switch layout.resultForm {
            case .float32:
                let floats = rows.bindMemory(to: Float.self)
                for index in floats.indices { floats[index] = Float(index) * 0.5 }
            case .brainFloat16, .int8Blocks:
                for index in rows.indices { rows[index] = UInt8(truncatingIfNeeded: index &* 7) }
            }
            layout.setComputeMicroseconds(1234, in: payload)
            count = layout.payloadByteCount
        }
    }

    /// The payload of the example of a kind. No default: a new kind needs an example.
    static func payload(of kind: MessageKind) throws -> [UInt8] {
        switch kind {
        case .hello: try hello.payload()
        case .welcome: try welcome.payload()
        case .refusal: try refusal.payload()
        case .heartbeat: try heartbeat.payload()
        case .heartbeatReply: try heartbeatReply.payload()
        case .echo, .echoReply: [1, 2, 3]
        case .assign: try assign.payload()
        case .assignProgress: try assignProgress.payload()
        case .dispatch: try dispatch()
        case .combine: try combine()
        case .generate: try generate.payload()
        case .generated: try generated.payload()
        case .cancel, .statusRequest, .modelFilesRequest: []
        case .status: try status.payload()
        case .modelFiles: try modelFiles.payload()
        }
    }

    /// Reads a payload as its kind says and writes it again: what comes out must be what went in.
    static func reencoded(_ payload: [UInt8], as kind: MessageKind) throws -> [UInt8] {
        switch kind {
        case .hello: return try Hello(payload: payload).payload()
        case .welcome: return try Welcome(payload: payload).payload()
        case .refusal: return try Refusal(payload: payload).payload()
        case .heartbeat: return try Heartbeat(payload: payload).payload()
        case .heartbeatReply: return try HeartbeatReply(payload: payload).payload()
        case .assign: return try Assign(payload: payload).payload()
        case .assignProgress: return try AssignProgress(payload: payload).payload()
        case .generate: return try Generate(payload: payload).payload()
        case .generated: return try Generated(payload: payload).payload()
        case .status: return try ClusterStatus(payload: payload).payload()
        case .modelFiles: return try ModelFiles(payload: payload).payload()
        case .dispatch:
            _ = try withAligned(payload) { try touch(try DispatchView(decoding: $0)) }
            return payload
        case .combine:
            _ = try withAligned(payload) { try touch(try CombineView(decoding: $0)) }
            return payload
        case .echo, .echoReply, .cancel, .statusRequest, .modelFilesRequest: return payload
        }
    }

    /// Payloads come at a multiple of 64 in memory.
    static func withAligned<Result>(
        _ payload: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(payload.count, 1), alignment: 64)
        defer { buffer.deallocate() }
        buffer.copyBytes(from: payload)
        return try body(UnsafeRawBufferPointer(rebasing: buffer[..<payload.count]))
    }

    /// Everything in a view can be read.
    private static func touch(_ view: DispatchView) throws -> Float {
        var sum: Float = 0
        for pair in view.pairs { sum += Float(view.row(Int(pair.tokenRow)).reduce(0) { $0 ^ $1 }) }
        return sum
    }

    private static func touch(_ view: CombineView) throws -> Float {
        (0..<view.layout.pairCount).reduce(0) { $0 + Float(view.row($1).last ?? 0) }
    }
}

/// Random numbers that are the same on every run.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // SplitMix64's constants: a counter, then two rounds of mixing.
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
