import Basics
import Kernels
import Transport
import Wire

/// Answers dispatches with locally hosted experts: reads the rows where they arrived, writes the results where they
/// leave from.
public struct DispatchRunner: ~Copyable {
    private var runner: ExpertRunner

    /// Computes with `compute`.
    public init(compute: Compute) { runner = ExpertRunner(compute: compute) }

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
            let view = try DispatchView(decoding: frame.payload)
            guard view.layout.width == hiddenSize else {
                throw Refusal(.malformedPayload, "rows of \(view.layout.width) values, the model has \(hiddenSize)")
            }
            return try compute(view, table)
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(.malformedPayload, "\(error)")
        }
    }

    private mutating func compute(
        _ view: DispatchView, _ table: ExpertTable
    ) throws -> (frame: FrameBuffer, computeMicroseconds: Int, expertRowCount: Int) {
        let layout = try CombineLayout(pairCount: view.layout.pairCount, width: view.layout.width)
        let frame = FrameBuffer(payloadByteCount: layout.payloadByteCount)
        let start = ContinuousClock.now
        var missing: ExpertIndex?
        var microseconds = 0
        frame.withPayload { payload in
            let rows = layout.prepare(payload)
            if let input = UnsafeMutablePointer(mutating: view.rows.baseAddress), let output = rows.baseAddress {
                missing = runner.run(
                    view.pairs, layer: view.layout.layer, table: table,
                    input: RowsView(base: input, count: view.layout.tokenCount, width: layout.width),
                    output: RowsView(base: output, count: layout.pairCount, width: layout.width))
            }
            microseconds = Int((ContinuousClock.now - start) / .microseconds(1))
            layout.setComputeMicroseconds(microseconds, in: payload)
        }
        if let missing {
            throw Refusal(
                .shardNotHosted, "expert \(missing) of layer \(view.layout.layer) is not hosted here")
        }
        return (frame, microseconds, layout.pairCount)
    }
}
