import Basics
import Engine
import Kernels
import Models
import TestSupport
import Testing
import Wire

/// States of recurrent layers and windows: what they cost, and that a sequence goes on from a snapshot as if nothing
/// had come after it.
@Suite struct SequenceStateTests {
    static let checkpoints = [
        "deepseek_v4_bf16", "deepseek_v4_f32", "gpt_oss_bf16", "mixtral_fused_f16", "qwen3_5_moe_bf16",
        "qwen3_5_moe_text_f32", "qwen3_moe_bf16",
    ]

    /// One sequence that is fed by hand.
    private final class Sequence {
        let harness: EngineHarness
        let cache: SequenceCache
        private let state: ForwardState

        init(_ checkpoint: String, positionsMax: Int = 64) throws {
            harness = try EngineHarness(checkpoint: checkpoint)
            let pool = try #require(CachePool(layouts: harness.model.cacheLayouts(), byteCount: 4 << 20))
            cache = SequenceCache(pool: pool, positionsMax: positionsMax)
            state = ForwardState(harness.model.description, rowsMax: positionsMax, compute: harness.compute)
        }

        /// Computes tokens and answers the last one's logits.
        func feed(_ tokens: [TokenID], at position: Int) throws -> [Float] {
            #expect(cache.reserve(position + tokens.count))
            let rows = tokens.enumerated().map {
                StepBatch.Row(token: $0.element, position: position + $0.offset, cache: cache)
            }
            try harness.model.forward(StepBatch(rows: rows), state, experts: harness.makeExperts())
            var last: [Float] = []
            harness.model.withLogits(ofRows: [tokens.count - 1], state) { last = Array($1) }
            return last
        }
    }

    private static let tokens = (0..<40).map { TokenID(Int32(3 + $0 * 29 % 300)) }

    @Test(arguments: checkpoints) func aRestoredSequenceGoesOnWithTheSameBits(checkpoint: String) throws {
        let sequence = try Sequence(checkpoint)
        _ = try sequence.feed(Array(Self.tokens[..<20]), at: 0)
        let snapshot = sequence.cache.snapshot()
        #expect(snapshot.positionCount == 20)
        let first = try (20..<30).map { try sequence.feed([Self.tokens[$0]], at: $0) }
        // Other tokens in between, then the same again, once in one step.
        sequence.cache.restore(snapshot)
        _ = try sequence.feed(Array(Self.tokens[5..<19]), at: 20)
        sequence.cache.restore(snapshot)
        #expect(sequence.cache.positionCount == 20)
        #expect(try (20..<30).map { try sequence.feed([Self.tokens[$0]], at: $0) } == first)
        sequence.cache.restore(snapshot)
        #expect(try sequence.feed(Array(Self.tokens[20..<30]), at: 20) == first[9])
        #expect(sequence.cache.positionCount == 30)
        sequence.cache.release()
        #expect(sequence.cache.positionCount == 0)
        #expect(try sequence.feed(Array(Self.tokens[..<30]), at: 0) == first[9])
    }

    /// Windows that end within a step, at its end and after it; more positions than a window, what is kept of the last
    /// ones, a block of gathered keys and an indexer's choice have.
    @Test(
        arguments: [
            "deepseek_v4_bf16", "deepseek_v4_f32", "deepseek_v4_fp4", "gpt_oss_bf16", "gpt_oss_mxfp4",
            "mixtral_fused_f16",
        ])
    func anyCutOfAPromptGivesTheSameBits(checkpoint: String) throws {
        let tokens = (0..<290).map { TokenID(Int32(3 + $0 * 31 % 307)) }
        let sequence = try Sequence(checkpoint, positionsMax: tokens.count)
        let whole = try sequence.feed(tokens, at: 0)
        for length in [1, 3, 33, 128, 200] {
            var last: [Float] = []
            for start in stride(from: 0, to: tokens.count, by: length) {
                last = try sequence.feed(Array(tokens[start..<min(start + length, tokens.count)]), at: start)
            }
            #expect(last == whole, "\(length) tokens at a time")
        }
        // Back into the middle of windows, and on in other steps.
        _ = try sequence.feed(Array(tokens[..<130]), at: 0)
        let snapshot = sequence.cache.snapshot()
        _ = try sequence.feed(Array(tokens[..<150]), at: 130)
        sequence.cache.restore(snapshot)
        _ = try sequence.feed(Array(tokens[130..<131]), at: 130)
        #expect(try sequence.feed(Array(tokens[131...]), at: 131) == whole)
    }

    /// What grows is entries alone: keys of the last positions take each other's places.
    @Test func entriesAreAllThatGrows() throws {
        let layouts = try EngineHarness(checkpoint: "deepseek_v4_bf16").model.cacheLayouts()
        #expect(layouts.map { $0.keyValues != nil } == [false, true, true, true])
        #expect(layouts.map(\.positionsPerKey) == [1, 4, 128, 4])
        #expect(layouts.map { $0.window?.positionCount } == [48, 48, 48, 48])
        // Per 2048 positions 512 entries of 16 numbers, with 12 of the indexer, in two layers, and 16 in a third.
        #expect(layouts.blockBytes == 4 * (2 * 512 * (16 + 12) + 16 * 16))
        #expect(layouts.positionBytes == layouts.blockBytes / 2048 + 1)
        // 48 keys in each layer, and what compressors keep: of two entries, or of one.
        #expect(layouts.stateBytes == 4 * (4 * 48 * 16 + 2 * 6 * (16 + 12) + 3 * 16) + 2 * 32)
    }

    /// A layer with a window keeps 64 rows beside it, in whole blocks, and no more, however long the sequence is.
    @Test func aWindowIsAllThatItsLayersKeep() throws {
        let layouts = try EngineHarness(checkpoint: "gpt_oss_bf16").model.cacheLayouts()
        #expect(layouts.map { $0.window?.positionCount } == [192, nil, 192])
        #expect(layouts.map { $0.keyValues != nil } == [false, true, false])
        #expect(layouts.stateBytes == 2 * 192 * layouts.positionBytes)
        let all = try EngineHarness(checkpoint: "mixtral_fused_f16")
        #expect(all.model.cacheLayouts().blockBytes == 0 && all.engine.keyValueBytesPerToken == 0)
        // Keys that a later layer reads too are kept, and those of a window that is nearly everything.
        let shared = try EngineHarness(checkpoint: "yi_lightning_bf16").model.cacheLayouts()
        #expect(shared.allSatisfy { $0.window == nil } && shared.blockBytes > 0)
    }

    @Test func windowsHoldWhatNeighbouringRowsSee() {
        for tokens in [1, 2, 20, 63, 64, 65, 66, 128, 1024] {
            for rows in [1, 2, 64] {
                let layout = KeyValueLayout(format: .f16, kvHeadCount: 1, keyDim: 2, valueDim: 2, blockPositions: 16)
                let window = WindowLayout(layout, tokens: tokens, rows: rows)
                let needed = (0..<16).map { (start: Int) in (start + tokens + rows - 2) / 16 + 1 }.max()
                #expect(window.blockCount == needed, "\(tokens) tokens, \(rows) rows")
            }
        }
    }

    /// A step that begins at the first position forgets what the memory held.
    @Test(arguments: checkpoints) func aSequenceStartsOverFromZeros(checkpoint: String) throws {
        let sequence = try Sequence(checkpoint)
        let first = try sequence.feed(Self.tokens, at: 0)
        #expect(try sequence.feed(Self.tokens, at: 0) == first)
    }

    /// States for all sequences, as long as they take no more than half.
    @Test func theBudgetIsDividedBetweenStatesAndBlocks() throws {
        let harness = try EngineHarness(checkpoint: "qwen3_5_moe_bf16", sequences: 8, cacheBytes: 1 << 20)
        let layouts = harness.model.cacheLayouts()
        #expect(layouts.map { $0.stateBytes > 0 } == [true, true, true, false])
        #expect(layouts.map { $0.keyValues != nil } == [false, false, false, true])
        let states = layouts.stateBytes
        #expect(harness.engine.stateBytesPerSequence == states)
        // [4 heads][2 x 16 dimensions][16 keys] and 3 rows of 2 x 32 + 96 inputs, f32, in three layers.
        #expect(states == 3 * 4 * (4 * 32 * 16 + 3 * 160))
        #expect(harness.engine.keyValueBytesPerToken == 2 * 2 * 16 * 4)
        #expect(harness.engine.sequencesMax == 8)
        #expect(harness.engine.cachedTokensMax == ((1 << 20) - 8 * states) / (64 * 256) * 64)
        let small = try EngineHarness(
            checkpoint: "qwen3_5_moe_bf16", sequences: 8, cacheBytes: 2 * states + 2 * 64 * 256)
        #expect(small.engine.sequencesMax == 1)
    }

    @Test func aCacheThatHoldsNoSequenceIsRefusedWithTheNumbers() throws {
        let error = #expect(throws: EngineError.self) {
            try EngineHarness(checkpoint: "qwen3_5_moe_bf16", cacheBytes: 40_000)
        }
        let message =
            "a cache of 40000 bytes cannot hold one sequence: 30336 bytes of state and one block of 16384 "
            + "bytes"
        #expect(error?.description == message)
    }

    /// Sequences that have to wait for a state, and preemptions that give states back, change no bit.
    @Test(arguments: ["gpt_oss_bf16", "mixtral_fused_f16", "qwen3_5_moe_bf16"], [3, 6])
    func inABatchThatIsShortOfMemory(checkpoint: String, blocks: Int) throws {
        let roomy = try EngineHarness(checkpoint: checkpoint)
        let alone = try ExactnessTests.answers(roomy, together: false)
        let layouts = roomy.model.cacheLayouts()
        let harness = try EngineHarness(
            checkpoint: checkpoint, threads: 2, cacheBytes: 3 * layouts.stateBytes + blocks * layouts.blockBytes)
        #expect(harness.engine.sequencesMax < 8)
        #expect(try ExactnessTests.answers(harness, together: true) == alone)
    }
}
