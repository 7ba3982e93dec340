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

    /// All rows.
    public var view: RowsView { RowsView(base: base, count: capacity, width: width, owner: self) }

    /// Some rows.
    public func view(_ range: Range<Int>) -> RowsView { view.rows(range) }
}

/// A view of rows, contiguous (stride == width): what kernels read and write. A view of `Rows` keeps them alive, so
/// that a temporary may be handed to a kernel.
///
/// `@unchecked Sendable`: a pointer and two numbers; see `Rows` for who may write.
public struct RowsView: @unchecked Sendable {
    /// The first float of the first row.
    public let base: UnsafeMutablePointer<Float>
    /// How many rows.
    public let count: Int
    /// Floats per row.
    public let width: Int
    private let owner: AnyObject?

    /// Borrows `count` rows of `width` floats at `base`; `owner`, if any, is kept alive by the view.
    public init(base: UnsafeMutablePointer<Float>, count: Int, width: Int, owner: AnyObject? = nil) {
        precondition(count >= 0 && width >= 0)
        self.owner = owner
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
        return RowsView(base: base + range.lowerBound * width, count: range.count, width: width, owner: owner)
    }

    /// The same floats as rows of another width, which must divide their number.
    public func reshaped(width newWidth: Int) -> RowsView {
        precondition(newWidth > 0 && (count * width) % newWidth == 0, "width does not divide the view")
        return RowsView(base: base, count: count * width / newWidth, width: newWidth, owner: owner)
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
