import Basics

/// One safetensors file: 8 bytes of header length (little-endian), a JSON header, then the tensors' bytes.
/// Only the header is read at opening.
final class SafetensorsFile: Sendable {
    let file: MappedFile
    let header: SafetensorsHeader
    /// The header as stored, for the model's digest.
    let headerBytes: [UInt8]

    /// Where the tensors' bytes begin, in bytes from the start of the file.
    var dataStart: Int { 8 + headerBytes.count }
    /// How many bytes follow the header.
    var dataByteCount: Int { file.byteCount - dataStart }

    init(path: String, neededBy: String) throws(WeightsError) {
        let file = try MappedFile(path: path, neededBy: neededBy)
        guard file.byteCount >= 8 else {
            throw .fileTruncated(file: path, expectedByteCount: 8, foundByteCount: file.byteCount)
        }
        let length = try file.read(offset: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(Limits.Weights.headerBytesMax) else {
            throw .headerBeyondLimit(file: path, byteCount: length, limit: Limits.Weights.headerBytesMax)
        }
        guard file.byteCount - 8 >= Int(length) else {
            throw .fileTruncated(file: path, expectedByteCount: 8 + Int(length), foundByteCount: file.byteCount)
        }
        let headerBytes = try file.read(offset: 8, count: Int(length))
        header = try SafetensorsHeader(
            parsing: headerBytes, dataByteCount: file.byteCount - 8 - Int(length), file: path)
        self.headerBytes = headerBytes
        self.file = file
    }

    /// The tensor `description` of this file, of a type that can serve as weights.
    func tensor(_ description: TensorDescription) throws(WeightsError) -> Tensor {
        guard let format = description.format else {
            throw .elementTypeUnsupported(
                tensor: description.name, file: file.path, type: description.elementType)
        }
        return Tensor(
            name: description.name, shape: description.shape, format: format, file: file,
            byteOffset: dataStart + description.dataOffset)
    }
}
