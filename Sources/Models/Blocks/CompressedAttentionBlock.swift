import Basics
import Kernels
import Weights

/// Attention over the last keys and over entries of a sequence's own caches; see `CompressedAttentionDescription`.
///
/// A sequence's state in this layer is the keys of the last positions, and then what the compressors keep of incomplete
/// windows: the attention's, and the indexer's. Entries lie in blocks, with those of the indexer as index keys.
final class CompressedAttentionBlock: AttentionBlock {
    private let shape: CompressedAttentionDescription
    private let rotaryIndex: Int
    private let queryDown: LinearBlock
    private let queryDownNorm: [Float]
    private let queryUp: LinearBlock
    /// The norm of each head's query has no weights.
    private let ones: [Float]
    private let key: LinearBlock
    private let keyNorm: [Float]
    private let sinks: [Float]
    /// Per group, `[rank, headCount / groups · headWidth]`.
    private let outputDown: [PackedMatrix]
    private let outputUp: LinearBlock
    private let compressor: CompressorBlock?
    private let indexer: EntryIndexerBlock?
    private let normEpsilon: Float

    init(
        _ shape: CompressedAttentionDescription, model: ModelDescription, _ checkpoint: Checkpoint
    ) throws(WeightsError) {
        self.shape = shape
        normEpsilon = model.normEpsilon
        rotaryIndex = model.index(of: shape.rotary)
        let width = shape.headCount * shape.headWidth
        queryDown = try LinearBlock(shape.queryDown, outputs: shape.queryRank, inputs: model.hiddenSize, checkpoint)
        queryDownNorm = try checkpoint.tensor(shape.queryNormName, shape: [shape.queryRank]).floats()
        queryUp = try LinearBlock(shape.queryUp, outputs: width, inputs: shape.queryRank, checkpoint)
        ones = Array(repeating: 1, count: shape.headWidth)
        key = try LinearBlock(shape.key, outputs: shape.headWidth, inputs: model.hiddenSize, checkpoint)
        keyNorm = try checkpoint.tensor(shape.keyNormName, shape: [shape.headWidth]).floats()
        sinks = try checkpoint.tensor(shape.sinksName, shape: [shape.headCount]).floats()
        let (groups, rank) = (shape.outputGroups.count, shape.outputGroups.rank)
        let down = try checkpoint.tensor(shape.outputDown.weight, shape: [groups * rank, width / groups])
        var matrices: [PackedMatrix] = []
        for group in 0..<groups { matrices.append(try down.rows(group * rank..<(group + 1) * rank).packed()) }
        outputDown = matrices
        outputUp = try LinearBlock(shape.outputUp, outputs: model.hiddenSize, inputs: groups * rank, checkpoint)
        compressor = try shape.entries.map { entries throws(WeightsError) in
            try CompressorBlock(entries.compressor, rotaryWidth: shape.rotaryWidth, model: model, checkpoint)
        }
        indexer = try shape.entries?.indexer.map { own throws(WeightsError) in
            try EntryIndexerBlock(own, of: shape, model: model, checkpoint)
        }
    }

    /// f32 also where weights are blocks, as latents are and for the same reason: every head reads the same keys.
    func layout(_ format: KeyValueFormat?) -> LayerCacheLayout {
        let format = format ?? .f32
        // Rows of one step come by turns: none may take the place of a key that one before it still sees.
        let panel = KeyValueLayout.panelPositions
        let ring = (shape.windowTokens + Compute.joinedRowsMax + panel - 1) / panel * panel
        let window = WindowLayout(keyLayout(format, blockPositions: ring))
        guard let entries = shape.entries, let compressor else { return LayerCacheLayout(window: window) }
        let positions = compressor.shape.windowPositions
        return LayerCacheLayout(
            keyValues: keyLayout(
                format, blockPositions: entries.blockPositions / positions,
                indexDim: indexer?.compressor.shape.dims ?? 0),
            positionsPerKey: positions, window: window,
            stateBytes: compressor.stateBytes + (indexer?.compressor.stateBytes ?? 0))
    }

    private func keyLayout(_ format: KeyValueFormat, blockPositions: Int, indexDim: Int = 0) -> KeyValueLayout {
        KeyValueLayout(
            format: format, kvHeadCount: 1, keyDim: shape.headWidth, valueDim: shape.headWidth,
            blockPositions: blockPositions, hasValuesInKeys: true, indexDim: indexDim)
    }

    func forward(layer: Int, rows: ArraySlice<StepBatch.Row>, _ state: ForwardState) {
        // All sequences of an engine share one pool, and so its layouts.
        guard let layouts = rows.first?.cache.cacheLayout(layer: layer), let window = layouts.window?.layout else {
            return
        }
        let range = rows.indices
        let compute = state.compute
        project(range, state)
        let entryCounts = rows.map { ($0.position + 1) / (compressor?.shape.windowPositions ?? .max) }
        if let entries = layouts.keyValues {
            compress(layer: layer, rows, entries, state)
            indexer?.choose(layer: layer, rows: rows, entryCounts: entryCounts, entries, state)
        }
        attend(layer: layer, rows, entryCounts, JoinedLayout(window: window, entries: layouts.keyValues), state)
        let attended = state.attended.view(range, width: shape.headCount * shape.headWidth)
        rotate(attended, headCount: shape.headCount, back: true, range, state)
        let groups = shape.outputGroups
        let narrow = state.narrowOutput.view(range, width: groups.count * groups.rank)
        compute.linearHeads(
            outputDown, input: HeadRows(attended, headCount: groups.count, part: 0..<attended.width / groups.count),
            output: HeadRows(narrow, headCount: groups.count, part: 0..<groups.rank), state.quantised)
        compute.linear(
            outputUp.matrix, input: compute.linearInput(narrow, for: [outputUp.matrix], state.quantised),
            output: state.projected.view(range))
    }

    private func queries(_ range: Range<Int>, _ state: ForwardState) -> RowsView {
        state.query.view(range, width: shape.headCount * shape.headWidth)
    }

    private func keys(_ range: Range<Int>, _ state: ForwardState) -> RowsView {
        state.key.view(range, width: shape.headWidth)
    }

    /// Everything that is linear in the `normed` rows or in the narrow layer, normed and rotated; entries' keys and
    /// gates, and the indexer's queries, are not.
    private func project(_ range: Range<Int>, _ state: ForwardState) {
        let compute = state.compute
        let narrow = state.narrowQuery.view(range, width: shape.queryRank)
        let queries = queries(range, state), keys = keys(range, state)
        var calls = [LinearCall(queryDown.matrix, output: narrow), LinearCall(key.matrix, output: keys)]
        if let compressor {
            let width = compressor.shape.width
            calls.append(LinearCall(compressor.key.matrix, output: state.entryKey.view(range, width: width)))
            calls.append(LinearCall(compressor.gate.matrix, output: state.entryGate.view(range, width: width)))
        }
        if let indexer {
            let own = indexer.compressor
            let width = own.shape.width
            calls.append(LinearCall(own.key.matrix, output: state.indexEntryKey.view(range, width: width)))
            calls.append(LinearCall(own.gate.matrix, output: state.indexEntryGate.view(range, width: width)))
            calls.append(LinearCall(indexer.headWeights.matrix, output: indexer.weights(range, state)))
        }
        compute.linear(
            calls, input: compute.linearInput(state.normed.view(range), for: calls.map(\.matrix), state.quantised))
        compute.rmsNorm(narrow, weight: queryDownNorm, epsilon: normEpsilon, output: narrow)
        var ups = [LinearCall(queryUp.matrix, output: queries)]
        if let indexer { ups.append(LinearCall(indexer.query.matrix, output: indexer.queries(range, state))) }
        compute.linear(ups, input: compute.linearInput(narrow, for: ups.map(\.matrix), state.quantised))
        compute.rmsNorm(heads(queries, shape.headCount), weight: ones, epsilon: normEpsilon)
        rotate(queries, headCount: shape.headCount, back: false, range, state)
        compute.rmsNorm(keys, weight: keyNorm, epsilon: normEpsilon, output: keys)
        rotate(keys, headCount: 1, back: false, range, state)
    }

    private func heads(_ rows: RowsView, _ headCount: Int) -> HeadRows {
        HeadRows(rows, headCount: headCount, part: 0..<shape.headWidth)
    }

    /// Turns the end of each head; `back` by the opposite angle, which takes from a sum of values, that are keys, what
    /// depends on where it was taken.
    private func rotate(_ rows: RowsView, headCount: Int, back: Bool, _ range: Range<Int>, _ state: ForwardState) {
        let end = HeadRows(rows, headCount: headCount, part: shape.headWidth - shape.rotaryWidth..<shape.headWidth)
        let angles = state.rotaries[rotaryIndex]
        state.compute.rotate(
            end, into: end, cosine: angles.cosine.view(range),
            sine: (back ? angles.oppositeSine : angles.sine).view(range), isInterleaved: true)
    }
}

extension CompressedAttentionBlock {
    /// Makes and stores the entries that the rows complete.
    private func compress(
        layer: Int, _ rows: ArraySlice<StepBatch.Row>, _ layout: KeyValueLayout, _ state: ForwardState
    ) {
        guard let compressor else { return }
        let range = rows.indices
        let sequences = SequenceRun.runs(of: rows)
        let completed = sequences.map { compressor.shape.entries(completedBy: $0.positions) }
        let angles = angles(of: completed, compressor)
        func make(
            _ compressor: CompressorBlock, offset: Int, _ keys: Rows, _ gates: Rows, _ entries: Rows
        ) -> RowsView {
            var entryCount = 0
            let runs = zip(sequences, completed).map { run, made in
                defer { entryCount += made.count }
                return CompressionRun(
                    rows: run.rows.lowerBound - range.lowerBound..<run.rows.upperBound - range.lowerBound,
                    position: run.positions.lowerBound, state: run.cache.ownState(layer: layer) + offset,
                    firstEntry: entryCount)
            }
            let width = compressor.shape.width
            let made = entries.view(0..<entryCount, width: compressor.shape.dims)
            compressor.compress(
                keys: keys.view(range, width: width), gates: gates.view(range, width: width), runs: runs,
                angles: angles, entries: made, state.compute)
            return made
        }
        let entries = make(compressor, offset: 0, state.entryKey, state.entryGate, state.entry)
        let indexEntries = indexer.map {
            make(
                $0.compressor, offset: compressor.shape.stateFloats, state.indexEntryKey, state.indexEntryGate,
                state.indexEntry)
        }
        store(entries, indexEntries, layer: layer, zip(sequences, completed), layout, state.compute)
    }

    private func store(
        _ entries: RowsView, _ indexEntries: RowsView?, layer: Int, _ made: Zip2Sequence<[SequenceRun], [Range<Int>]>,
        _ layout: KeyValueLayout, _ compute: Compute
    ) {
        var row = 0
        for (run, numbers) in made {
            for number in numbers {
                let place = run.cache.place(ofKey: number, layer: layer)
                compute.storeKey(keys: entries, row: row, layout: layout, block: place.block, offset: place.offset)
                if let indexEntries {
                    compute.storeIndexKey(
                        keys: indexEntries, row: row, layout: layout, block: place.block, offset: place.offset)
                }
                row += 1
            }
        }
    }

    /// The angles of entries, each at its window's first position.
    private func angles(of entries: [Range<Int>], _ compressor: CompressorBlock) -> RotaryAngles {
        let angles = RotaryAngles(shape.rotary, rowsMax: entries.reduce(0) { $0 + $1.count })
        angles.compute(entries.joined().lazy.map { $0 * compressor.shape.windowPositions })
        return angles
    }

    /// The weighted sums of keys; some rows at a time, whose keys are stored just before.
    private func attend(
        layer: Int, _ rows: ArraySlice<StepBatch.Row>, _ entryCounts: [Int], _ layout: JoinedLayout,
        _ state: ForwardState
    ) {
        for start in stride(from: rows.startIndex, to: rows.endIndex, by: Compute.joinedRowsMax) {
            let range = start..<min(start + Compute.joinedRowsMax, rows.endIndex)
            let keys = keys(range, state)
            for (index, row) in rows[range].enumerated() {
                state.compute.storeKey(
                    keys: keys, row: index, layout: layout.window, block: row.cache.state(layer: layer),
                    offset: row.position % layout.window.blockPositions)
            }
            let spans = range.map { index in
                let (row, end) = (rows[index], rows[index].position + 1)
                return JoinedSpan(
                    window: row.cache.state(layer: layer), positions: max(0, end - shape.windowTokens)..<end,
                    entryBlocks: compressor.map { _ in row.cache.table(layer: layer) },
                    entryCount: entryCounts[index - rows.startIndex])
            }
            state.compute.joinedAttention(
                queries: queries(range, state), headCount: shape.headCount, spans: spans, layout: layout,
                chosen: indexer.map {
                    EntryChoices(choices: state.choices, count: $0.chosenCount, firstRow: range.lowerBound)
                }, scale: 1 / Float(shape.headWidth).squareRoot(), sinks: sinks,
                output: state.attended.view(range, width: shape.headCount * shape.headWidth),
                scratch: &state.sparseScratch, attentionScratch: &state.attentionScratch)
        }
    }
}
