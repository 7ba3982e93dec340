import CKernels

/// How the streams of a residual are mixed around a block (DeepSeek-V4's constrained hyper-connections), as data;
/// `operations/streams.h` has the order of operations.
public struct StreamRule: Hashable, Sendable {
    /// Streams of the residual.
    public let streamCount: Int
    /// Rounds in which the weights between streams are brought to sums of one (Sinkhorn and Knopp); at least 1.
    public let roundCount: Int
    /// Added to weights and to sums.
    public let epsilon: Float

    /// A rule; streams from 1 to `streamCountMax`.
    public init(streamCount: Int, roundCount: Int, epsilon: Float) {
        precondition((1...Self.streamCountMax).contains(streamCount) && roundCount >= 1)
        self.streamCount = streamCount
        self.roundCount = roundCount
        self.epsilon = epsilon
    }

    /// Most streams that kernels have room for.
    public static let streamCountMax = Int(COLONY_STREAMS_MAX)

    /// Numbers by which one row's streams are mixed: to collapse them, to add to each, and from each to each.
    public var weightCount: Int { (2 + streamCount) * streamCount }
}

extension Compute {
    /// The weights of each row from its mixes, both [rows][weightCount]. `base` has one number for each, `scales` three:
    /// of the mixes to collapse, to add, and from stream to stream.
    public func streamWeights(
        _ rule: StreamRule, mixes: RowsView, scales: [Float], base: [Float], weights: RowsView
    ) {
        precondition(mixes.width == rule.weightCount && weights.width == mixes.width && weights.count == mixes.count)
        precondition(scales.count == 3 && base.count == rule.weightCount, "numbers for each part")
        base.withUnsafeBufferPointer { base in
            let arguments = colony_stream_arguments(
                base: base.baseAddress, scales: (scales[0], scales[1], scales[2]), streams: rule.streamCount,
                rounds: rule.roundCount, epsilon: rule.epsilon)
            forEachRow(mixes.count, width: mixes.width * rule.roundCount) { row in
                withUnsafePointer(to: arguments) {
                    table.stream_weights($0, mixes.base + row * mixes.width, weights.base + row * weights.width)
                }
            }
        }
    }

    /// The streams of each row, [rows][streams x width], to one, [rows][width], by the first of its weights.
    public func collapseStreams(_ rule: StreamRule, streams: RowsView, weights: RowsView, output: RowsView) {
        precondition(streams.width == rule.streamCount * output.width && weights.width == rule.weightCount)
        precondition(streams.count == output.count && weights.count == output.count)
        forEachRow(output.count, width: streams.width) { row in
            table.collapse_streams(
                streams.base + row * streams.width, weights.base + row * weights.width,
                output.base + row * output.width, rule.streamCount, output.width)
        }
    }

    /// Mixes the streams of each row with each other and adds `addend`, [rows][width], to each, in place.
    public func mixStreams(_ rule: StreamRule, adding addend: RowsView, weights: RowsView, streams: RowsView) {
        precondition(streams.width == rule.streamCount * addend.width && weights.width == rule.weightCount)
        precondition(streams.count == addend.count && weights.count == addend.count)
        forEachRow(addend.count, width: streams.width) { row in
            table.mix_streams(
                addend.base + row * addend.width, weights.base + row * weights.width,
                streams.base + row * streams.width, rule.streamCount, addend.width)
        }
    }
}
