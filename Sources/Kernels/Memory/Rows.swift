/// Owns `capacity` rows of `width` f32, contiguous, 64-byte aligned, zero at first.
///
/// `@unchecked Sendable`: the memory lives as long as the object and never moves; who writes which rows when is agreed
/// between the users, as with any buffer.
public final class Rows: @unchecked Sendable {
    /// How many rows there are.
    public let capacity: Int
    /// Floats per row.
    public let width: Int
    private let base: UnsafeMutablePointer<Float>

    /// Allocates `capacity` x `width` floats, all zero.
    public init(capacity: Int, width: Int) {
        precondition(capacity >= 0 && width >= 0)
        self.capacity = capacity
        self.width = width
        base = allocateFloats(max(1, capacity * width))
    }

    deinit { UnsafeMutableRawPointer(base).deallocate() }

    /// All rows; valid while this object lives.
    public var view: RowsView { RowsView(base: base, count: capacity, width: width) }

    /// Some rows; valid while this object lives.
    public func view(_ range: Range<Int>) -> RowsView { view.rows(range) }
}

/// Borrowed rows, contiguous (stride == width), valid while their owner lives: what kernels read and write.
///
/// `@unchecked Sendable`: a pointer and two numbers; see `Rows` for who may write.
public struct RowsView: @unchecked Sendable {
    /// The first float of the first row.
    public let base: UnsafeMutablePointer<Float>
    /// How many rows.
    public let count: Int
    /// Floats per row.
    public let width: Int

    /// Borrows `count` rows of `width` floats at `base`.
    public init(base: UnsafeMutablePointer<Float>, count: Int, width: Int) {
        precondition(count >= 0 && width >= 0)
        self.base = base
        self.count = count
        self.width = width
    }

    /// One row.
    public subscript(row: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(row >= 0 && row < count, "row outside the view")
        return UnsafeMutableBufferPointer(start: base + row * width, count: width)
    }

    /// The rows of a range.
    public func rows(_ range: Range<Int>) -> RowsView {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "rows outside the view")
        return RowsView(base: base + range.lowerBound * width, count: range.count, width: width)
    }

    /// The same floats as rows of another width, which must divide their number.
    public func reshaped(width newWidth: Int) -> RowsView {
        precondition(newWidth > 0 && (count * width) % newWidth == 0, "width does not divide the view")
        return RowsView(base: base, count: count * width / newWidth, width: newWidth)
    }

    /// All floats, row after row.
    public var floats: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: base, count: count * width)
    }
}

/// Zeroed floats at a cache line's start; given back with `deallocate()` of the raw pointer.
func allocateFloats(_ count: Int) -> UnsafeMutablePointer<Float> {
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<Float>.stride, alignment: 64)
    let floats = bytes.bindMemory(to: Float.self, capacity: count)
    floats.initialize(repeating: 0, count: count)
    return floats
}
