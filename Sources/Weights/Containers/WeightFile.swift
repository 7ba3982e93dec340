import Kernels

/// One file of a model's tensors, of whatever container: a header, then the tensors' bytes. Only the header is read at
/// opening.
struct WeightFile: Sendable {
    let file: MappedFile
    /// What the file is called in the model's digest.
    let digestName: String
    /// Where the header stands, for the model's digest; how its length is stored is no part of it.
    let headerRange: Range<Int>
    /// Where the tensors' bytes begin, in bytes from the start of the file.
    let dataStart: Int
    /// The tensors by their names in the file.
    let tensors: [String: TensorDescription]
    /// The formats that the container has.
    let formats: [WeightFormat]

    /// How many bytes follow the header.
    var dataByteCount: Int { max(0, file.byteCount - dataStart) }

    /// The tensor at `place`, in this file and of a type that can serve as weights, in dimensions that it has.
    func tensor(_ place: TensorPlace, shape: [Int], as name: String) throws(WeightsError) -> Tensor {
        let description = place.description
        guard let format = description.format else {
            throw .elementTypeUnsupported(
                tensor: description.name, file: file.path, type: description.elementType,
                supported: formats.map(\.rawValue))
        }
        var rows = StoredRows(
            format: format, file: file, fileNumber: place.file, byteOffset: dataStart + description.dataOffset,
            count: shape.reduce(1, *))
        if let order = place.order {
            guard order.fits(shape) else {
                throw .tensorContentInvalid(
                    tensor: description.name, file: file.path,
                    reason: "its shape, \(description.shape), is not that of the heads which the configuration has")
            }
            rows.ordered = OrderedMatrix(order: order, rows: shape.first ?? 1, columns: shape.dropFirst().reduce(1, *))
        }
        return Tensor(name: name, shape: shape, source: .stored(rows))
    }

    /// The whole numbers of the tensor at `place`, each from 0 to below `limit`.
    func numbers(_ place: TensorPlace, shape: [Int], below limit: Int) throws(WeightsError) -> [Int32] {
        let description = place.description
        guard place.has(shape) else {
            throw .shapeMismatch(
                tensor: description.name, file: file.path, expected: shape, found: description.shape)
        }
        guard description.elementType == "I64" || description.elementType == "I32" else {
            throw .elementTypeUnsupported(
                tensor: description.name, file: file.path, type: description.elementType, supported: ["I32", "I64"])
        }
        let start = dataStart + description.dataOffset
        let range = start..<start + description.byteCount
        try file.populate(range, tensor: description.name)
        defer { file.giveBack(range) }
        let bytes = file.bytes(range)
        var numbers: [Int32] = []
        numbers.reserveCapacity(shape.reduce(1, *))
        for index in 0..<shape.reduce(1, *) {
            let number =
                description.elementType == "I64"
                ? bytes.element(index, as: Int64.self) : Int64(bytes.element(index, as: Int32.self))
            guard number >= 0, number < Int64(limit) else {
                throw .tensorContentInvalid(
                    tensor: description.name, file: file.path,
                    reason: "number \(index) is \(number), expected from 0 to \(limit - 1)")
            }
            numbers.append(Int32(truncatingIfNeeded: number))
        }
        return numbers
    }
}
