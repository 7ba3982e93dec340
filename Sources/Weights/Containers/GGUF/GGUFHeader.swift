import Basics
import Kernels

/// The header of a GGUF file: what kind of file it is, keys with values, and where each tensor lies. Pure: bytes in,
/// values or a typed error out.
///
///     "GGUF" · version u32 · tensors u64 · keys u64
///     keys times:    key string · kind u32 · value
///     tensors times: name string · dimensions u32 · dimension u64, fastest first … · type u32 · offset u64
///     zeros up to a multiple of `general.alignment`, then the tensors' bytes, from where offsets count
public struct GGUFHeader: Sendable {
    /// The keys with their values.
    public let metadata: GGUFMetadata
    /// The tensors by their names in the file.
    public let tensors: [String: TensorDescription]
    /// Size of what was read, without the padding behind it, in bytes.
    public let byteCount: Int
    /// Where the tensors' bytes begin, in bytes from the start of the file; beyond its end if no tensor has any.
    public let dataStart: Int

    /// Parses and checks a header. `bytes` are the beginning of a file of `fileByteCount` bytes; if they end within the
    /// header, the error is `fileTruncated` with how many are needed at least. `file` is named in errors.
    public init(parsing bytes: [UInt8], fileByteCount: Int, file: String) throws(WeightsError) {
        var cursor = GGUFCursor(bytes, fileByteCount: fileByteCount, file: file)
        try Self.checkMagic(&cursor)
        // A tensor without name and dimensions has 24 bytes, a key without letters and with a byte of value 13.
        let tensorCount = try cursor.count(of: "tensors", max: Limits.GGUF.tensorsMax, byteCountMin: 24)
        let keyCount = try cursor.count(of: "keys", max: Limits.GGUF.keyValuesMax, byteCountMin: 13)
        metadata = try GGUFMetadata(reading: &cursor, count: keyCount)
        let alignment = try Self.alignment(metadata, cursor)
        var infos: [GGUFTensorInfo] = []
        infos.reserveCapacity(tensorCount)
        for _ in 0..<tensorCount { infos.append(try GGUFTensorInfo(reading: &cursor)) }
        byteCount = cursor.offset
        dataStart = (byteCount + alignment - 1) / alignment * alignment
        let dataByteCount = max(0, fileByteCount - dataStart)
        var tensors: [String: TensorDescription] = [:]
        tensors.reserveCapacity(tensorCount)
        for info in infos {
            let tensor = try info.described(alignment: alignment, dataByteCount: dataByteCount, file: file)
            guard tensors.updateValue(tensor, forKey: info.name) == nil else {
                throw .tensorDuplicated(tensor: info.name, file: file)
            }
        }
        try TensorDescription.refuseOverlaps(tensors.values, file: file)
        self.tensors = tensors
    }

    private static func checkMagic(_ cursor: inout GGUFCursor) throws(WeightsError) {
        let magic = try cursor.integer(UInt32.self)
        guard magic == 0x4655_4747 else {
            let digits = String(magic.byteSwapped, radix: 16)
            let found = String(repeating: "0", count: 8 - digits.count) + digits
            throw cursor.malformed("not a GGUF file: it begins with the bytes \(found), not with 47475546", at: 0)
        }
        let version = try cursor.integer(UInt32.self)
        switch version {
        case 2, 3: return
        case 1: throw cursor.malformed("version 1 of GGUF, which has other lengths; 2 and 3 are read", at: 4)
        case _ where version & 0xFFFF == 0 && version != 0:
            throw cursor.malformed(
                "a big-endian file (version \(version.byteSwapped)); little-endian ones are read", at: 4)
        default: throw cursor.malformed("version \(version) of GGUF; 2 and 3 are read", at: 4)
        }
    }

    private static func alignment(_ metadata: GGUFMetadata, _ cursor: GGUFCursor) throws(WeightsError) -> Int {
        guard let value = metadata["general.alignment"] else { return 32 }
        guard let alignment = value.integer, let exact = UInt32(exactly: alignment), exact.nonzeroBitCount == 1 else {
            throw cursor.malformed(
                "general.alignment is \(value.serialised().prefix(80)), not a power of two below 2^32")
        }
        return alignment
    }
}

/// One entry of the tensor section, as it stands there.
private struct GGUFTensorInfo {
    let name: String
    /// The dimensions, slowest first.
    let shape: [Int]
    let type: UInt32
    let offset: UInt64
    /// Where the entry stands in the file.
    let place: Int

    init(reading cursor: inout GGUFCursor) throws(WeightsError) {
        place = cursor.offset
        name = try cursor.string("a tensor's name", bytesMax: Limits.GGUF.tensorNameBytesMax)
        let dimensionsPlace = cursor.offset
        let dimensionCount = try cursor.integer(UInt32.self)
        guard dimensionCount <= Limits.GGUF.dimensionsMax else {
            throw cursor.malformed(
                "tensor \(name) has \(dimensionCount) dimensions, the limit is \(Limits.GGUF.dimensionsMax)",
                at: dimensionsPlace)
        }
        var dimensions: [Int] = []
        for _ in 0..<dimensionCount {
            let dimension = try cursor.integer(UInt64.self)
            guard let exact = Int(exactly: dimension) else {
                throw cursor.malformed("tensor \(name) has a dimension of \(dimension)", at: cursor.offset - 8)
            }
            dimensions.append(exact)
        }
        shape = dimensions.reversed()
        type = try cursor.integer(UInt32.self)
        offset = try cursor.integer(UInt64.self)
    }

    func described(alignment: Int, dataByteCount: Int, file: String) throws(WeightsError) -> TensorDescription {
        let block = GGUFTensorType.block(type)
        let byteCount = try block.map { block throws(WeightsError) in try size(in: block, file: file) } ?? 0
        let begin = Int(clamping: offset)
        let (sum, overflow) = begin.addingReportingOverflow(byteCount)
        // Where the size is not known, the place cannot be checked.
        guard block == nil || !overflow && sum <= dataByteCount else {
            throw .tensorOutOfFile(
                tensor: name, file: file, begin: begin, end: overflow ? .max : sum, dataByteCount: dataByteCount)
        }
        guard begin % alignment == 0 else {
            throw .tensorMisaligned(tensor: name, file: file, byteOffset: begin, alignment: alignment)
        }
        return TensorDescription(
            name: name, shape: shape, elementType: GGUFTensorType.name(type), byteCount: byteCount,
            format: GGUFTensorType.weightFormat(type), dataOffset: begin)
    }

    /// Size in bytes, if rows are whole blocks and 64 bits can count it.
    private func size(in block: (columns: Int, bytes: Int), file: String) throws(WeightsError) -> Int {
        let columns = shape.last ?? 1
        guard columns % block.columns == 0 else {
            throw .rowNotWholeBlocks(
                tensor: name, file: file, type: GGUFTensorType.name(type), columns: columns,
                columnsPerBlock: block.columns)
        }
        if shape.contains(0) { return 0 }
        var bytes = columns / block.columns
        for factor in [block.bytes] + shape.dropLast() {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: factor)
            guard !overflow else {
                throw .headerMalformed(
                    file: file, reason: "tensor \(name): shape \(shape) is beyond all memory", byteOffset: place)
            }
            bytes = product
        }
        return bytes
    }
}
