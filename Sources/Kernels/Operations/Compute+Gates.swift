import CKernels

extension Compute {
    /// `rmsNorm` of a part of each head, counted through all rows; each row of the output has one head's part alone.
    public func rmsNorm(_ input: HeadRows, weight: [Float], epsilon: Float, output: RowsView) {
        precondition(input.width == weight.count && output.width == input.width)
        precondition(output.count == input.count * input.headCount)
        weight.withUnsafeBufferPointer { weights in
            guard let weightBase = weights.baseAddress else { return }
            forEachRow(output.count, width: output.width) { head in
                table.rms_norm(input[head], weightBase, epsilon, output.base + head * output.width, output.width)
            }
        }
    }

    /// `values = values / (1 + exp(-gate))`, float by float; each row of values has a part of a head as its gate.
    public func multiply(_ values: RowsView, bySigmoidOf gates: HeadRows) {
        precondition(gates.width == values.width && gates.count * gates.headCount == values.count)
        forEachRow(values.count, width: values.width) { head in
            table.sigmoid_multiply(gates[head], values.base + head * values.width, values.width)
        }
    }

    /// `values = gate / (1 + exp(-gate)) · values`, float by float.
    public func multiply(_ values: RowsView, bySiluOf gates: RowsView) {
        precondition(gates.width == values.width && gates.count == values.count)
        var activation = GatedActivation.silu.arguments
        withUnsafePointer(to: &activation) { activation in
            forEachRow(values.count, width: values.width) { row in
                let base = values.base + row * values.width
                table.gated_activation(activation, gates.base + row * gates.width, base, base, values.width)
            }
        }
    }

    /// `1 / (1 + exp(-x))` of every float, in place.
    public func sigmoid(_ values: RowsView) {
        kernels.routerScores(.sigmoid)(values.base, values.count * values.width)
    }
}
