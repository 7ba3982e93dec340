import CKernels

extension Compute {
    /// One linear layer for each head: `output[t][h] = matrices[h] * input[t][h]`, all in one parallel region. The
    /// matrices are of one shape and format; input and output must not overlap. `scratch` is for 8-bit activations.
    public func linearHeads(
        _ matrices: [PackedMatrix], input: HeadRows, output: HeadRows, _ scratch: QuantisedRows
    ) {
        precondition(input.headCount == matrices.count && output.headCount == matrices.count, "one matrix per head")
        guard let shape = matrices.first, input.count > 0 else { return }
        precondition(input.width == shape.columns && output.width == shape.rows && input.count == output.count)
        precondition(fits(shape), "placed for other threads")
        let blocksPerHead = QuantisedRows.blocksPerRow(width: input.width)
        let quantised = takesQuantised(shape) ? quantise(input, scratch) : nil
        var arguments = shape.arguments(tokens: input.count)
        arguments.input_stride = input.rowStride
        arguments.quantised_stride = input.headCount * blocksPerHead
        arguments.output_stride = output.rowStride
        let kernel = kernel(shape)
        func steps(node: Int) -> PanelSteps { PanelSteps(panels: cut.panels(part: node, of: shape.panelCount)) }
        let work = shape.rows * shape.columns * matrices.count * input.count
        runSteps(
            { steps(node: $0).range.count * matrices.count }, tokenCount: input.count, work: work
        ) { node, range in
            let own = steps(node: node)
            var arguments = arguments
            Self.forEachHead(of: range, stepsPerHead: own.range.count) { head, steps in
                let (first, count) = own.panels(of: steps)
                arguments.weights = matrices[head].base(node: node)
                arguments.input = UnsafePointer(input.head(head))
                arguments.quantised_input = quantised.map { $0 + head * blocksPerHead }
                arguments.output = output.head(head)
                kernel(&arguments, first, count)
            }
        }
    }

    /// Calls `body` with every head that `steps` touch, and which of its steps those are.
    private static func forEachHead(
        of steps: Range<Int>, stepsPerHead: Int, _ body: (_ head: Int, _ steps: Range<Int>) -> Void
    ) {
        var step = steps.lowerBound
        while step < steps.upperBound {
            let head = step / stepsPerHead
            let end = min((head + 1) * stepsPerHead, steps.upperBound)
            body(head, step - head * stepsPerHead..<end - head * stepsPerHead)
            step = end
        }
    }

    private func quantise(_ heads: HeadRows, _ scratch: QuantisedRows) -> UnsafePointer<colony_activation_block> {
        let stride = QuantisedRows.blocksPerRow(width: heads.width)
        let blocks = scratch.reserve(rows: heads.count * heads.headCount, width: heads.width)
        forEachRow(heads.count * heads.headCount, width: heads.width) { index in
            table.quantise(heads[index], blocks + index * stride, heads.width)
        }
        return UnsafePointer(blocks)
    }

    /// RMS norm of each head's part by itself, in place; see `rmsNorm`.
    public func rmsNorm(_ heads: HeadRows, weight: [Float], epsilon: Float) {
        precondition(heads.width == weight.count)
        weight.withUnsafeBufferPointer { weights in
            guard let weightBase = weights.baseAddress else { return }
            forEachRow(heads.count * heads.headCount, width: heads.width) { index in
                table.rms_norm(heads[index], weightBase, epsilon, heads[index], heads.width)
            }
        }
    }

    /// Rotary embedding of the heads of `source`, written to `target`, which may be the source but not overlap it in
    /// another way. `cosine` and `sine` have one row per row of heads, half as wide as a head's part. The pairs of a
    /// head are neighbours where `isInterleaved`, else the first half pairs with the second.
    public func rotate(
        _ source: HeadRows, into target: HeadRows, cosine: RowsView, sine: RowsView, isInterleaved: Bool
    ) {
        let half = cosine.width
        precondition(source.width == 2 * half && target.width == 2 * half && sine.width == half)
        precondition(source.count == target.count && source.headCount == target.headCount)
        precondition(cosine.count == source.count && sine.count == source.count)
        forEachRow(source.count * source.headCount, width: source.width) { index in
            let row = index / source.headCount
            let (cosines, sines) = (cosine.base + row * half, sine.base + row * half)
            if isInterleaved {
                table.rotate_interleaved(source[index], target[index], cosines, sines, half)
            } else {
                if target[index] != source[index] { target[index].update(from: source[index], count: 2 * half) }
                table.rotate(target[index], cosines, sines, half)
            }
        }
    }
}
