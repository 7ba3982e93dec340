import Basics
import Kernels
import Transport
import Wire

/// Answers dispatches with locally hosted experts: reads the rows where they arrived, writes the results where they
/// leave from.
public struct DispatchRunner: ~Copyable {
    private let integers: Compute
    private let floats: Compute
    private var runner = ExpertRunner()

    /// Computes with the kernels and threads of `compute`; each dispatch says in which form of activations.
    public init(compute: Compute) {
        integers = compute.using(.int8)
        floats = compute.using(.f32)
    }

    /// Computes one dispatch.
    /// - Returns: the `combine` frame, how long the computation took, and how many rows it gave.
    /// - Throws: why the dispatch is refused; nothing was computed then.
    public mutating func run(
        _ frame: ReceivedFrame, table: ExpertTable, hiddenSize: Int
    ) throws(Refusal) -> (frame: FrameBuffer, computeMicroseconds: Int, expertRowCount: Int) {
        guard frame.header.epoch == table.epoch else {
            throw Refusal(
                .staleEpoch, "the dispatch is of placement \(frame.header.epoch), this worker hosts \(table.epoch)")
        }
        do {
            let view = try DispatchView(decoding: frame.payload, version: frame.header.version)
            guard view.layout.width == hiddenSize else {
                throw Refusal(.malformedPayload, "rows of \(view.layout.width) values, the model has \(hiddenSize)")
            }
            return try compute(view, table, version: frame.header.version)
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(.malformedPayload, "\(error)")
        }
    }

    private mutating func compute(
        _ view: DispatchView, _ table: ExpertTable, version: UInt16
    ) throws -> (frame: FrameBuffer, computeMicroseconds: Int, expertRowCount: Int) {
        let layout = try CombineLayout(
            pairCount: view.layout.pairCount, width: view.layout.width, resultForm: view.layout.resultForm,
            version: version)
        let frame = FrameBuffer(payloadByteCount: layout.payloadByteCount)
        let start = ContinuousClock.now
        var microseconds = 0
        try frame.withPayload { payload in
            let rows = layout.prepare(payload)
            if let input = ExpertInput(view), let output = rows.baseAddress {
                try runner.run(
                    view.pairs, layer: view.layout.layer, table: table, input: input,
                    output: ResultRowsView(
                        base: output, count: layout.pairCount, width: layout.width,
                        format: ResultFormat(layout.resultForm)),
                    compute: view.layout.activationForm == .int8 ? integers : floats)
            }
            microseconds = Int((ContinuousClock.now - start) / .microseconds(1))
            layout.setComputeMicroseconds(microseconds, in: payload)
        }
        return (frame, microseconds, layout.pairCount)
    }
}

extension ExpertInput {
    /// The rows of a dispatch, where they arrived; nil where there are none.
    fileprivate init?(_ view: DispatchView) {
        guard let base = view.rows.baseAddress else { return nil }
        let (count, width) = (view.layout.tokenCount, view.layout.width)
        switch view.layout.rowForm {
        case .float32:
            guard let floats = view.rows.bindMemory(to: Float.self).baseAddress else { return nil }
            self = .rows(RowsView(base: UnsafeMutablePointer(mutating: floats), count: count, width: width))
        case .int8Blocks: self = .compact(CompactRowsView(base: base, count: count, width: width))
        }
    }
}

extension ResultFormat {
    /// The form that a frame names.
    init(_ form: ResultForm) {
        switch form {
        case .float32: self = .f32
        case .brainFloat16: self = .bf16
        case .int8Blocks: self = .int8
        }
    }
}

extension ResultForm {
    /// How a form is named in frames.
    init(_ format: ResultFormat) {
        switch format {
        case .f32: self = .float32
        case .bf16: self = .brainFloat16
        case .int8: self = .int8Blocks
        }
    }
}
