import CKernels

/// A part of every row: `width` floats from `offset` on, as where one projection gives two things.
public struct RowParts: Sendable {
    /// The rows.
    public let rows: RowsView
    /// Where the part begins in a row.
    public let offset: Int
    /// How many floats it has.
    public let width: Int

    /// Names a part, which must lie within a row.
    public init(_ rows: RowsView, offset: Int, width: Int) {
        precondition(offset >= 0 && width >= 0 && offset + width <= rows.width, "the part lies within a row")
        self.rows = rows
        self.offset = offset
        self.width = width
    }

    /// Where row `row` has the part.
    func base(row: Int) -> UnsafeMutablePointer<Float> { rows.base + row * rows.width + offset }
}

extension Compute {
    /// `rmsNorm` of a part of each row; the output has the part alone.
    public func rmsNorm(_ input: RowParts, weight: [Float], epsilon: Float, output: RowsView) {
        precondition(input.width == weight.count && output.width == input.width && output.count == input.rows.count)
        weight.withUnsafeBufferPointer { weights in
            guard let weightBase = weights.baseAddress else { return }
            parallelRows(output) { row in
                table.rms_norm(
                    input.base(row: row), weightBase, epsilon, output.base + row * output.width, output.width)
            }
        }
    }

    /// `values = values / (1 + exp(-gate))`, float by float.
    public func multiply(_ values: RowsView, bySigmoidOf gates: RowParts) {
        precondition(gates.width == values.width && gates.rows.count == values.count)
        parallelRows(values) { row in
            table.sigmoid_multiply(gates.base(row: row), values.base + row * values.width, values.width)
        }
    }

    /// `values = gate / (1 + exp(-gate)) · values`, float by float.
    public func multiply(_ values: RowsView, bySiluOf gates: RowsView) {
        precondition(gates.width == values.width && gates.count == values.count)
        let silu = GatedActivation.silu.arguments
        withUnsafePointer(to: silu) { silu in
            parallelRows(values) { row in
                let base = values.base + row * values.width
                table.gated_activation(silu, gates.base + row * gates.width, base, base, values.width)
            }
        }
    }

    /// `1 / (1 + exp(-x))` of every float, in place.
    public func sigmoid(_ values: RowsView) {
        kernels.routerScores(.sigmoid)(values.base, values.count * values.width)
    }
}
