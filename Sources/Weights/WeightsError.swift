import Basics

/// Why a model's files cannot be used. Every case names the file or tensor and the numbers needed to find the fault.
public enum WeightsError: Error, Hashable, Sendable {
    /// The path of a model is not a directory.
    case directoryMissing(path: String)
    /// A tensor's type has no use as weights; `type` is the file's own name for it.
    case elementTypeUnsupported(tensor: String, file: String, type: String)
    /// A file is larger than its limit.
    case fileBeyondLimit(file: String, byteCount: Int, limit: Int)
    /// A file became shorter while the model was in use.
    case fileChanged(file: String, tensor: String, expectedByteCount: Int, foundByteCount: Int)
    /// A JSON file does not say what it must.
    case fileMalformed(file: String, reason: String)
    /// A file that the model needs is not there; `neededBy` says what needs it.
    case fileMissing(file: String, neededBy: String)
    /// A file is shorter than its own header says.
    case fileTruncated(file: String, expectedByteCount: Int, foundByteCount: Int)
    /// The header of a weight file claims to be longer than the limit.
    case headerBeyondLimit(file: String, byteCount: UInt64, limit: Int)
    /// The header of a weight file is not what it must be, from `byteOffset` of the file on.
    case headerMalformed(file: String, reason: String, byteOffset: Int)
    /// A matrix could not be brought into the kernels' layout.
    case packingFailed(tensor: String, reason: String)
    /// A tensor has other dimensions than the model's configuration asks for.
    case shapeMismatch(tensor: String, file: String, expected: [Int], found: [Int])
    /// A model is spread over more files than the limit.
    case shardFilesBeyondLimit(index: String, count: Int, limit: Int)
    /// The operating system refused; `code` is its `errno`.
    case systemCallFailed(call: String, file: String, code: Int32)
    /// Two tensors of one file have the same name.
    case tensorDuplicated(tensor: String, file: String)
    /// No file of the model holds the tensor.
    case tensorMissing(tensor: String, directory: String)
    /// The index says that a file holds the tensor, and the file does not.
    case tensorNotInShard(tensor: String, file: String, index: String)
    /// A tensor's place does not lie within its file; offsets count from the first byte after the header.
    case tensorOutOfFile(tensor: String, file: String, begin: Int, end: Int, dataByteCount: Int)
    /// A tensor's place has another size than its shape and type need.
    case tensorSizeMismatch(
        tensor: String, file: String, shape: [Int], type: String, expectedByteCount: Int, foundByteCount: Int)
    /// Two tensors share bytes; `byteOffset` counts from the first byte after the header.
    case tensorsOverlap(tensor: String, other: String, file: String, byteOffset: Int)
}

extension WeightsError: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        switch self {
        case .directoryMissing(let path):
            "\(path) is not a directory; a model is a directory with config.json and *.safetensors"
        case .elementTypeUnsupported(let tensor, let file, let type):
            "tensor \(tensor) in \(file) has type \(type); supported are F32, F16 and BF16"
        case .fileBeyondLimit(let file, let count, let limit):
            "\(file) has \(count) bytes, the limit is \(limit)"
        case .fileChanged(let file, let tensor, let expected, let found):
            "\(file) became shorter while in use: tensor \(tensor) ends at byte \(expected), the file at byte \(found)"
        case .fileMalformed(let file, let reason):
            "\(file): \(reason)"
        case .fileMissing(let file, let neededBy):
            "\(file) is missing; \(neededBy) needs it"
        case .fileTruncated(let file, let expected, let found):
            "\(file) is truncated: it needs \(expected) bytes and has \(found)"
        case .headerBeyondLimit(let file, let count, let limit):
            "\(file): the header claims \(count) bytes at byte 0, the limit is \(limit)"
        case .headerMalformed(let file, let reason, let offset):
            "\(file): bad header at byte \(offset): \(reason)"
        case .packingFailed(let tensor, let reason):
            "tensor \(tensor) cannot be packed: \(reason)"
        case .shapeMismatch(let tensor, let file, let expected, let found):
            "tensor \(tensor) in \(file) has shape \(found), the model's configuration needs \(expected)"
        case .shardFilesBeyondLimit(let index, let count, let limit):
            "\(index) names \(count) files, the limit is \(limit)"
        case .systemCallFailed(let call, let file, let code):
            "\(file): \(call) failed: \(systemErrorText(code))"
        case .tensorDuplicated(let tensor, let file):
            "tensor \(tensor) occurs twice in \(file)"
        case .tensorMissing(let tensor, let directory):
            "tensor \(tensor) is missing in the model \(directory)"
        case .tensorNotInShard(let tensor, let file, let index):
            "tensor \(tensor) is missing in \(file), where \(index) places it"
        case .tensorOutOfFile(let tensor, let file, let begin, let end, let dataByteCount):
            "tensor \(tensor) in \(file) claims bytes \(begin)..<\(end) of the \(dataByteCount) data bytes"
        case .tensorSizeMismatch(let tensor, let file, let shape, let type, let expected, let found):
            "tensor \(tensor) in \(file): shape \(shape) of \(type) needs \(expected) bytes, its place has \(found)"
        case .tensorsOverlap(let tensor, let other, let file, let offset):
            "tensors \(tensor) and \(other) in \(file) overlap at data byte \(offset)"
        }
    }
}
