import CKernels

extension Compute {
    /// `output[t][row] = sum over k of m[row][k] * input[t][k]`, plus `bias[row]`. Input: [tokens][columns], output:
    /// [tokens][rows]; they must not overlap.
    public func linear(_ m: PackedMatrix, input: RowsView, output: RowsView, bias: [Float]? = nil) {
        precondition(input.width == m.columns && output.width == m.rows && input.count == output.count)
        precondition(bias.map { $0.count == m.rows } ?? true, "one bias per row")
        guard input.count > 0 else { return }
        if let bias {
            bias.withUnsafeBufferPointer { linear(m, input: input, output: output, biasBase: $0.baseAddress) }
        } else {
            linear(m, input: input, output: output, biasBase: nil)
        }
    }

    private func linear(_ m: PackedMatrix, input: RowsView, output: RowsView, biasBase: UnsafePointer<Float>?) {
        var arguments = m.arguments(tokens: input.count)
        arguments.bias = biasBase
        arguments.input = UnsafePointer(input.base)
        arguments.output = output.base
        let kernel = m.format.linear(table)
        let work = m.rows * m.columns * input.count
        withUnsafePointer(to: arguments) { pointer in
            if work <= serialWorkMax { return kernel(pointer, 0, m.panelCount) }
            let steps = (m.panelCount + panelsPerStep - 1) / panelsPerStep
            parallel(steps, grain: 1) { range in
                let first = range.lowerBound * panelsPerStep
                kernel(pointer, first, min(range.upperBound * panelsPerStep, m.panelCount) - first)
            }
        }
    }
}

extension PackedMatrix {
    /// Its weights and shape as a kernel's arguments; input and output are the caller's, rows beside each other.
    func arguments(tokens: Int) -> colony_linear_arguments {
        var arguments = colony_linear_arguments()
        arguments.weights = UnsafeRawPointer(base)
        arguments.rows = rows
        arguments.columns = columns
        arguments.input_stride = columns
        arguments.output_stride = rows
        arguments.tokens = tokens
        return arguments
    }
}

/// Panels that a task takes at least, so that the kernels find a whole tile: four panels for one token.
let panelsPerStep = 4
