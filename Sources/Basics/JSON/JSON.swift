public import OrderedCollections

/// A JSON value (RFC 8259).
///
/// Colony has its own type because it needs what Foundation's cannot give: objects that keep the order of their keys
/// (a chat template prints a tool's schema as the user wrote it), integers that stay integers, errors with a byte
/// offset, and limits on depth and size that hold before memory is spent.
public enum JSON: Sendable, Equatable {
    /// An array.
    case array([JSON])
    /// `true` or `false`.
    case bool(Bool)
    /// A number with a fraction or an exponent, or an integer beyond 64 bits.
    case double(Double)
    /// A number without fraction and exponent that fits 64 bits.
    case integer(Int64)
    /// `null`.
    case null
    /// An object; keys keep their order, the last of equal keys wins.
    case object(OrderedDictionary<String, JSON>)
    /// A string.
    case string(String)
}

extension JSON {
    /// The member `key` of an object; nil for other kinds and for missing keys.
    public subscript(_ key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    /// The same object with the member `key` set to `value` (in its place, or at the end); other kinds unchanged.
    public func setting(_ key: String, to value: JSON) -> JSON {
        guard case .object(var members) = self else { return self }
        members[key] = value
        return .object(members)
    }

    /// The elements of an array, nil for other kinds.
    public var array: [JSON]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The value of a boolean, nil for other kinds.
    public var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The value of any number, nil for other kinds.
    public var double: Double? {
        switch self {
        case .double(let value): value
        case .integer(let value): Double(value)
        case .array, .bool, .null, .object, .string: nil
        }
    }

    /// The value of a whole number (also one written as `1.0` or `1e3`), nil for other kinds.
    public var integer: Int? {
        switch self {
        case .double(let value): Int(exactly: value)
        case .integer(let value): Int(value)
        case .array, .bool, .null, .object, .string: nil
        }
    }

    /// Whether this is `null`.
    public var isNull: Bool { self == .null }

    /// The members of an object, nil for other kinds.
    public var object: OrderedDictionary<String, JSON>? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The value of a string, nil for other kinds.
    public var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// What kind of value this is, in JSON's words, for error messages.
    public var kindName: String {
        switch self {
        case .array: "array"
        case .bool: "boolean"
        case .double, .integer: "number"
        case .null: "null"
        case .object: "object"
        case .string: "string"
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A floating-point number.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// An array.
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// An object; the last of equal keys wins.
    public init(dictionaryLiteral members: (String, JSON)...) {
        self = .object(OrderedDictionary(members, uniquingKeysWith: { $1 }))
    }
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
}
