/// A part of each head of rows of heads: `width` floats of every `stride`.
///
/// ```
/// one row:  | head 0: · · [ width ] · | head 1: · · [ width ] · | …        each head `stride` floats
/// ```
///
/// `@unchecked Sendable`: a pointer and numbers; see `Rows` for who may write.
public struct HeadRows: @unchecked Sendable {
    /// How many rows.
    public let count: Int
    /// Heads of a row.
    public let headCount: Int
    /// Floats that each head has in all.
    public let stride: Int
    /// Floats of the part.
    public let width: Int
    private let base: UnsafeMutablePointer<Float>
    private let owner: RowsView

    /// The floats of `part` of each of the `headCount` heads that a row is divided into.
    public init(_ rows: RowsView, headCount: Int, part: Range<Int>) {
        precondition(headCount > 0 && rows.width % headCount == 0, "a row is whole heads")
        stride = rows.width / headCount
        precondition(part.lowerBound >= 0 && part.upperBound <= stride && !part.isEmpty, "a part of a head")
        self.headCount = headCount
        count = rows.count
        width = part.count
        base = rows.base + part.lowerBound
        owner = rows
    }

    /// Floats from a row to the next.
    var rowStride: Int { headCount * stride }

    /// The part of one head of the first row.
    func head(_ head: Int) -> UnsafeMutablePointer<Float> { base + head * stride }

    /// The part of the head of that number, counted through all rows.
    subscript(index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }
}
