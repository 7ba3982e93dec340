import CKernels

extension Compute {
    /// Adds `addendCount` rows to each row of `sum`, one after the other: to row r those of index `r * addendCount` and
    /// on, each as wide as `sum` and in `format`.
    public func add(
        _ addendCount: Int, of format: ResultFormat, to sum: RowsView,
        _ addend: (_ index: Int) -> UnsafeRawPointer
    ) {
        let kernel = kernels.add(format)
        forEachRow(sum.count, width: sum.width * addendCount) { row in
            withUnsafeTemporaryAllocation(of: UnsafeRawPointer.self, capacity: addendCount) { addends in
                guard let base = addends.baseAddress else { return }
                for index in 0..<addendCount {
                    addends.initializeElement(at: index, to: addend(row * addendCount + index))
                }
                kernel(base, addendCount, sum.base + row * sum.width, sum.width)
            }
        }
    }

    /// `sum += addend`, both of one shape.
    public func add(_ addend: RowsView, to sum: RowsView) {
        precondition(addend.width == sum.width && addend.count == sum.count)
        add(1, of: .f32, to: sum) { UnsafeRawPointer(addend.base + $0 * addend.width) }
    }

    /// Brings rows into the form of `output`, as experts do that give it.
    public func round(_ rows: RowsView, to output: ResultRowsView) {
        precondition(rows.width == output.width && rows.count == output.count)
        let kernel = kernels.storeResult(output.format)
        forEachRow(rows.count, width: rows.width) { row in
            kernel(rows.base + row * rows.width, output[row], 0, rows.width, rows.width)
        }
    }
}
