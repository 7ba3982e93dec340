import Basics

/// Reads the header of a GGUF file from its beginning on, number by number: little-endian, nothing aligned.
///
/// `bytes` may be only the beginning of the header; where it ends too early the error says how many bytes are needed
/// (`fileTruncated`), and whoever reads the file comes again with more.
struct GGUFCursor {
    let bytes: [UInt8]
    /// Size of the whole file: no length in the header can be honest beyond it.
    let fileByteCount: Int
    /// Named in errors.
    let file: String
    private(set) var offset = 0

    init(_ bytes: [UInt8], fileByteCount: Int, file: String) {
        self.bytes = bytes
        self.fileByteCount = fileByteCount
        self.file = file
    }

    /// The error that says what is wrong at the byte `place`, or here.
    func malformed(_ reason: String, at place: Int? = nil) -> WeightsError {
        .headerMalformed(file: file, reason: reason, byteOffset: place ?? offset)
    }

    /// The next number.
    mutating func integer<Number: FixedWidthInteger>(_: Number.Type) throws(WeightsError) -> Number {
        let range = try take(Number.bitWidth / 8)
        var number: Number = 0
        for index in range.reversed() { number = number << 8 | Number(truncatingIfNeeded: bytes[index]) }
        return number
    }

    /// A number of things that follow, each of which occupies `byteCountMin` bytes or more.
    mutating func count(of what: String, max limit: Int, byteCountMin: Int = 1) throws(WeightsError) -> Int {
        let place = offset
        let count = try integer(UInt64.self)
        guard count <= UInt64(limit) else {
            throw malformed("\(count) \(what), the limit is \(limit)", at: place)
        }
        guard Int(count) <= (fileByteCount - offset) / byteCountMin else {
            throw .fileTruncated(
                file: file, expectedByteCount: offset + Int(count) * byteCountMin, foundByteCount: fileByteCount)
        }
        return Int(count)
    }

    /// The next string of at most `limit` bytes; `what` says what it is for.
    mutating func string(_ what: String, bytesMax limit: Int) throws(WeightsError) -> String {
        let count = try count(of: "bytes of \(what)", max: limit)
        let range = try take(count)
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw malformed("\(what) is not UTF-8", at: range.lowerBound)
        }
        return text
    }

    private mutating func take(_ count: Int) throws(WeightsError) -> Range<Int> {
        guard count <= bytes.count - offset else {
            throw .fileTruncated(file: file, expectedByteCount: offset + count, foundByteCount: bytes.count)
        }
        defer { offset += count }
        return offset..<offset + count
    }
}
