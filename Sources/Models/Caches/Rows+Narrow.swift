import Kernels

extension Rows {
    /// The rows of `range` where the buffer holds rows of `width` values, no wider than its own: one buffer serves
    /// layers of different widths.
    func view(_ range: Range<Int>, width: Int) -> RowsView {
        precondition(width <= self.width, "rows of \(width) values fit a buffer of rows of \(self.width)")
        return RowsView(base: view.base + range.lowerBound * width, count: range.count, width: width)
    }
}
