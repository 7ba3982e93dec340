public import Kernels

/// What one tensor of a weight file is, whether or not it can serve as weights.
public struct TensorDescription: Hashable, Sendable {
    /// The tensor's name in the file.
    public let name: String
    /// The dimensions, slowest first.
    public let shape: [Int]
    /// The file's own name of the element type, for instance `BF16` or `I64`.
    public let elementType: String
    /// Size, in bytes; 0 where the container does not say it and the type's size is not known.
    public let byteCount: Int
    /// How one weight is stored; nil for types that cannot serve as weights.
    public let format: WeightFormat?
    /// Where the tensor begins, in bytes after the header.
    let dataOffset: Int

    /// Where the tensor lies, in bytes after the header.
    package var dataRange: Range<Int> { dataOffset..<dataOffset + byteCount }
}

extension TensorDescription {
    /// Gaps between tensors are harmless; bytes that belong to two tensors are not.
    static func refuseOverlaps(_ tensors: some Sequence<TensorDescription>, file: String) throws(WeightsError) {
        let ordered = tensors.filter { $0.byteCount > 0 }.sorted { $0.dataOffset < $1.dataOffset }
        for (left, right) in zip(ordered, ordered.dropFirst()) where left.dataRange.upperBound > right.dataOffset {
            throw .tensorsOverlap(tensor: left.name, other: right.name, file: file, byteOffset: right.dataOffset)
        }
    }
}
