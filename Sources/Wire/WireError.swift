/// Why a message cannot be written, or a payload cannot be read.
public enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A length or a count is beyond its limit.
    case beyondLimit(field: String, value: Int, limit: Int)
    /// A document in JSON cannot be read or written.
    case documentMalformed(reason: String)
    /// A value means nothing, or contradicts another.
    case invalidValue(field: String, reason: String)
    /// A text is not UTF-8.
    case notUTF8(field: String, byteOffset: Int)
    /// Padding, which must be zero, is not.
    case paddingNotZero(byteOffset: Int)
    /// The payload's length is not what its head says.
    case sizeMismatch(expectedByteCount: Int, foundByteCount: Int)
    /// Something follows the message.
    case trailingBytes(byteCount: Int, byteOffset: Int)
    /// The payload ends too early.
    case truncated(field: String, neededByteCount: Int, remainingByteCount: Int, byteOffset: Int)

    /// One line for people.
    public var description: String {
        switch self {
        case .beyondLimit(let field, let value, let limit): "\(field) is \(value), the limit is \(limit)"
        case .documentMalformed(let reason): "malformed document: \(reason)"
        case .invalidValue(let field, let reason): "\(field) \(reason)"
        case .notUTF8(let field, let offset): "\(field) at byte \(offset) is not UTF-8"
        case .paddingNotZero(let offset): "padding at byte \(offset) is not zero"
        case .sizeMismatch(let expected, let found): "payload has \(found) bytes, its head says \(expected)"
        case .trailingBytes(let count, let offset): "\(count) bytes follow the message, from byte \(offset)"
        case .truncated(let field, let needed, let remaining, let offset):
            "\(field) at byte \(offset) needs \(needed) bytes, \(remaining) are left"
        }
    }
}
