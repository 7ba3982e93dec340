import Basics
import Kernels

/// Which matrix of which file is meant: what a cache of packed weights is asked for.
struct PackedKey: Hashable, Sendable {
    /// Number of the file within the model.
    let file: Int
    /// When that file was changed last, in nanoseconds since 1970: the model's digest takes samples only.
    let modifiedNanoseconds: Int64
    /// Where the matrix begins, in bytes from the start of the file; see `ComposedWeight.place` for weights in parts.
    let byteOffset: Int
    let rows: Int
    let columns: Int
    let format: MatrixFormat

    /// That of the transposed matrix, kept in another format.
    func transposed(as format: WeightFormat) -> PackedKey {
        PackedKey(
            file: file, modifiedNanoseconds: modifiedNanoseconds, byteOffset: byteOffset, rows: columns, columns: rows,
            format: .stored(format))
    }

    /// Size of the packed matrix, in bytes.
    var packedByteCount: Int { PackedMatrix.byteCount(rows: rows, columns: columns, format: format) }
}

/// How a file of packed weights is laid out; little-endian:
///
/// ```
/// 0     magic "COLPACK1", layout version u32, 0 u32, model digest (64 ASCII), index offset u64, entry count u64
/// 4096  packed matrices, each at a multiple of 64 bytes
/// index per matrix: file u32, format u32, changed i64, offset u64, rows u64, columns u64, position u64
///       FNV-1a of header and index, u64
/// ```
///
/// The weights themselves have no checksum, as in the model's own files: a file gets its name only after all is on
/// the disk.
struct PackedFileFormat {
    static let headerBytes = 96
    static let dataStart = 4096
    static let alignment = 64
    static let entryBytes = 48
    private static let magic: UInt64 = 0x314b_4341_504c_4f43

    /// Where each matrix lies, in bytes from the start of the file.
    var positions: [PackedKey: Int] = [:]

    /// Header and index of a file whose matrices end at `indexOffset`.
    static func encode(
        digest: ModelDigest, entries: [(key: PackedKey, position: Int)], indexOffset: Int
    ) -> (header: [UInt8], index: [UInt8]) {
        var header: [UInt8] = []
        append(magic, &header)
        append(PackedMatrix.layoutVersion, &header)
        append(UInt32(0), &header)
        header += Array(digest.hexadecimal.utf8)
        append(UInt64(indexOffset), &header)
        append(UInt64(entries.count), &header)
        var index: [UInt8] = []
        index.reserveCapacity(entries.count * entryBytes + 8)
        for (key, position) in entries {
            append(UInt32(key.file), &index)
            append(key.format.number, &index)
            append(key.modifiedNanoseconds, &index)
            for number in [key.byteOffset, key.rows, key.columns, position] { append(UInt64(number), &index) }
        }
        append(checksum(header, index[...]), &index)
        return (header, index)
    }

    /// Where the index is, by the header of a file of `fileBytes` bytes; nil if this is no such file of this model.
    static func indexRange(header: [UInt8], digest: ModelDigest, fileBytes: Int) -> Range<Int>? {
        guard header.count == headerBytes, number(header, 0) as UInt64 == magic,
            number(header, 8) as UInt32 == PackedMatrix.layoutVersion,
            header[16..<80].elementsEqual(digest.hexadecimal.utf8)
        else { return nil }
        guard let offset = Int(exactly: number(header, 80) as UInt64),
            let count = Int(exactly: number(header, 88) as UInt64), count <= Limits.Weights.cacheEntriesMax,
            offset >= dataStart, offset <= fileBytes, fileBytes - offset == count * entryBytes + 8
        else { return nil }
        return offset..<fileBytes
    }

    /// Reads an index; nil if it is damaged.
    init?(header: [UInt8], index: [UInt8], indexOffset: Int) {
        let end = index.count - 8
        guard end >= 0, end % Self.entryBytes == 0,
            Self.number(index, end) as UInt64 == Self.checksum(header, index[..<end])
        else { return nil }
        positions.reserveCapacity(end / Self.entryBytes)
        for start in stride(from: 0, to: end, by: Self.entryBytes) {
            guard let format = MatrixFormat(number: Self.number(index, start + 4)),
                let byteOffset = Int(exactly: Self.number(index, start + 16) as UInt64),
                let rows = Int(exactly: Self.number(index, start + 24) as UInt64),
                let columns = Int(exactly: Self.number(index, start + 32) as UInt64),
                let position = Int(exactly: Self.number(index, start + 40) as UInt64),
                (1...Limits.Kernels.matrixRowsMax).contains(rows),
                (1...Limits.Kernels.matrixColumnsMax).contains(columns), columns % format.columnsMultiple == 0
            else { return nil }
            let key = PackedKey(
                file: Int(Self.number(index, start) as UInt32),
                modifiedNanoseconds: Self.number(index, start + 8), byteOffset: byteOffset, rows: rows,
                columns: columns, format: format)
            guard position >= Self.dataStart, position % Self.alignment == 0, position <= indexOffset,
                key.packedByteCount <= indexOffset - position
            else { return nil }
            positions[key] = position
        }
    }

    private static func append<Number: FixedWidthInteger>(_ number: Number, _ bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func number<Number: FixedWidthInteger>(_ bytes: [UInt8], _ offset: Int) -> Number {
        bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
    }

    /// FNV-1a, 64 bits, http://www.isthe.com/chongo/tech/comp/fnv/: against damage, not against an enemy.
    private static func checksum(_ header: [UInt8], _ index: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in header { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in index { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}
