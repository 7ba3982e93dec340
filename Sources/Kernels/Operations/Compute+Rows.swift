import CKernels

extension Compute {
    /// `output = (input * 1 / sqrt(mean of squares + epsilon)) * weight`, row by row; input may be output.
    public func rmsNorm(_ input: RowsView, weight: [Float], epsilon: Float, output: RowsView) {
        precondition(input.width == weight.count && output.width == input.width && output.count == input.count)
        weight.withUnsafeBufferPointer { weights in
            guard let weightBase = weights.baseAddress else { return }
            forEachRow(input.count, width: input.width) { row in
                table.rms_norm(
                    input.base + row * input.width, weightBase, epsilon, output.base + row * output.width,
                    input.width)
            }
        }
    }

    /// Rotary embedding in place. Rows are tokens, width `headCount` x head size; `cosine` and `sine` have one row per
    /// token, half as wide as the part of a head that is rotated. Within that part the first half pairs with the
    /// second; what lies beyond is left alone.
    public func rotate(_ heads: RowsView, headCount: Int, cosine: RowsView, sine: RowsView) {
        precondition(headCount > 0 && heads.width % headCount == 0)
        let headDim = heads.width / headCount
        let half = cosine.width
        precondition(half * 2 <= headDim && sine.width == half)
        precondition(cosine.count == heads.count && sine.count == heads.count)
        forEachRow(heads.count, width: heads.width) { row in
            for head in 0..<headCount {
                table.rotate(
                    heads.base + row * heads.width + head * headDim, cosine.base + row * half, sine.base + row * half,
                    half)
            }
        }
    }

    /// Looks rows up in row-major `source` ([rows][width], at any alignment): output row i is source row
    /// `rowIndices[i]`, converted to f32.
    public func decodeRows(
        source: UnsafeRawBufferPointer, format: WeightFormat, width: Int, rowIndices: [Int32], output: RowsView
    ) {
        precondition(output.count == rowIndices.count && output.width == width)
        let rowBytes = format.byteCount(of: width)
        guard let sourceBase = source.baseAddress else { return precondition(rowIndices.isEmpty, "no source") }
        for (row, index) in rowIndices.enumerated() {
            precondition(index >= 0 && (Int(index) + 1) * rowBytes <= source.count, "row outside the source")
            let stored = UnsafeRawBufferPointer(start: sourceBase + Int(index) * rowBytes, count: rowBytes)
            if format.isPlain {
                kernels.decode(format)(sourceBase + Int(index) * rowBytes, output.base + row * width, width)
            } else {
                format.decodeBlocks(stored, into: output.base + row * width)
            }
        }
    }
}
