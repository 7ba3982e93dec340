import Basics

/// Why a model's files cannot be used. Every case names the file or tensor and the numbers needed to find the fault.
public enum WeightsError: Error, Hashable, Sendable {
    /// No table says how a GGUF file of this architecture maps onto a model.
    case architectureUnsupported(file: String, found: String, supported: [String])
    /// A tensor's type has no use as weights; `type` is the file's own name for it.
    case elementTypeUnsupported(tensor: String, file: String, type: String, supported: [String])
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
    /// A key of a GGUF file is missing or has a value that does not serve.
    case metadataInvalid(file: String, key: String, found: String, expected: String)
    /// The path of a model is neither a directory nor a file.
    case modelMissing(path: String)
    /// A matrix could not be brought into the kernels' layout.
    case packingFailed(tensor: String, reason: String)
    /// A key of `quantization_config` does not say what it must.
    case quantisationInvalid(key: String, found: String, expected: String)
    /// Weights are quantised in a way that is not known.
    case quantisationUnsupported(key: String, found: String, supported: [String])
    /// A tensor's rows do not end where a block of its format ends.
    case rowNotWholeBlocks(tensor: String, file: String, type: String, columns: Int, columnsPerBlock: Int)
    /// A tensor has other dimensions than the model's configuration asks for.
    case shapeMismatch(tensor: String, file: String, expected: [Int], found: [Int])
    /// A model is spread over more files than the limit.
    case shardFilesBeyondLimit(index: String, count: Int, limit: Int)
    /// One file of a split model does not fit the others; `what` says in which respect.
    case splitMismatch(file: String, what: String, expected: String, found: String)
    /// The operating system refused; `code` is its `errno`.
    case systemCallFailed(call: String, file: String, code: Int32)
    /// What a tensor holds is not what its format allows.
    case tensorContentInvalid(tensor: String, file: String, reason: String)
    /// Two tensors of a file, or of a model's files, have the same name.
    case tensorDuplicated(tensor: String, file: String)
    /// A tensor does not begin at a multiple of the file's alignment; `byteOffset` counts from the first byte after the
    /// header.
    case tensorMisaligned(tensor: String, file: String, byteOffset: Int, alignment: Int)
    /// No file of the model holds the tensor; `model` is the path of the model.
    case tensorMissing(tensor: String, model: String)
    /// The index says that a file holds the tensor, and the file does not.
    case tensorNotInShard(tensor: String, file: String, index: String)
    /// A tensor's place does not lie within its file; offsets count from the first byte after the header.
    case tensorOutOfFile(tensor: String, file: String, begin: Int, end: Int, dataByteCount: Int)
    /// A tensor's place has another size than its shape and type need.
    case tensorSizeMismatch(
        tensor: String, file: String, shape: [Int], type: String, expectedByteCount: Int, foundByteCount: Int)
    /// The model's architecture has no such tensor, so leaving it out would change the answers.
    case tensorUnknown(tensor: String, file: String, architecture: String)
    /// Two tensors share bytes; `byteOffset` counts from the first byte after the header.
    case tensorsOverlap(tensor: String, other: String, file: String, byteOffset: Int)
    /// What a weight file says of its tokenizer is not what it must be.
    case tokenizerMalformed(key: String, reason: String)
    /// A weight file's tokenizer is of a kind that is not known; `supported` lists those that are.
    case tokenizerUnsupported(key: String, found: String, supported: [String])
}

extension WeightsError: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        switch self {
        case .architectureUnsupported(let file, let found, let supported):
            "\(file): GGUF architecture '\(found)' is not supported; these are: \(supported.joined(separator: ", "))"
        case .elementTypeUnsupported(let tensor, let file, let type, let supported):
            "tensor \(tensor) in \(file) has type \(type); supported are \(supported.joined(separator: ", "))"
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
            "\(file): the header needs \(count) bytes, the limit is \(limit)"
        case .headerMalformed(let file, let reason, let offset):
            "\(file): bad header at byte \(offset): \(reason)"
        case .metadataInvalid(let file, let key, let found, let expected):
            "\(file): '\(key)' is \(found), expected \(expected)"
        case .modelMissing(let path):
            "\(path) is missing; a model is a Hugging Face model directory or a .gguf file"
        case .packingFailed(let tensor, let reason):
            "tensor \(tensor) cannot be packed: \(reason)"
        case .quantisationInvalid(let key, let found, let expected):
            "config.json: '\(key)' is \(found), expected \(expected)"
        case .quantisationUnsupported(let key, let found, let supported):
            "config.json: '\(key)' is '\(found)', supported: \(supported.joined(separator: ", "))"
        case .rowNotWholeBlocks(let tensor, let file, let type, let columns, let block):
            "tensor \(tensor) in \(file): rows of \(columns) weights are not whole blocks of \(block), as \(type) needs"
        case .shapeMismatch(let tensor, let file, let expected, let found):
            "tensor \(tensor) in \(file) has shape \(found), the model's configuration needs \(expected)"
        case .shardFilesBeyondLimit(let index, let count, let limit):
            "\(index) names \(count) files, the limit is \(limit)"
        case .splitMismatch(let file, let what, let expected, let found):
            "\(file): a split model's \(what) must be \(expected), found \(found)"
        case .systemCallFailed(let call, let file, let code):
            "\(file): \(call) failed: \(systemErrorText(code))"
        case .tensorContentInvalid(let tensor, let file, let reason):
            "tensor \(tensor) in \(file): \(reason)"
        case .tensorDuplicated(let tensor, let file):
            "tensor \(tensor) occurs twice in \(file)"
        case .tensorMisaligned(let tensor, let file, let offset, let alignment):
            "tensor \(tensor) in \(file) begins at data byte \(offset), not at a multiple of \(alignment)"
        case .tensorMissing(let tensor, let model):
            "tensor \(tensor) is missing in the model \(model)"
        case .tensorNotInShard(let tensor, let file, let index):
            "tensor \(tensor) is missing in \(file), where \(index) places it"
        case .tensorOutOfFile(let tensor, let file, let begin, let end, let dataByteCount):
            "tensor \(tensor) in \(file) claims bytes \(begin)..<\(end) of the \(dataByteCount) data bytes"
        case .tensorSizeMismatch(let tensor, let file, let shape, let type, let expected, let found):
            "tensor \(tensor) in \(file): shape \(shape) of \(type) needs \(expected) bytes, its place has \(found)"
        case .tensorUnknown(let tensor, let file, let architecture):
            "tensor \(tensor) in \(file) has no place in the architecture \(architecture)"
        case .tensorsOverlap(let tensor, let other, let file, let offset):
            "tensors \(tensor) and \(other) in \(file) overlap at data byte \(offset)"
        case .tokenizerMalformed(let key, let reason):
            "\(key): \(reason)"
        case .tokenizerUnsupported(let key, let found, let supported):
            "\(key) '\(found)' is not supported (supported: \(supported.joined(separator: ", ")))"
        }
    }
}
