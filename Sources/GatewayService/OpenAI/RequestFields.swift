import Basics
import OrderedCollections

/// The members of a request's JSON object, read with their types and ranges checked: every refusal names the field,
/// what was expected and what was found. A member that is `null` counts as absent, as with OpenAI.
struct RequestFields {
    private let members: OrderedDictionary<String, JSON>
    /// Where the object is within the request, for messages, e.g. `stream_options.`; empty at the top.
    private let prefix: String

    init(_ json: JSON, prefix: String = "") throws(APIError) {
        guard let members = json.object else {
            let place = prefix.isEmpty ? "the body" : "'\(prefix.dropLast())'"
            throw .invalid(
                prefix.isEmpty ? nil : String(prefix.dropLast()),
                "\(place) must be a JSON object, found \(json.kindName)")
        }
        self.members = members
        self.prefix = prefix
    }

    /// Every member, as it came.
    var all: OrderedDictionary<String, JSON> { members }

    /// The member, unless it is absent or `null`.
    func value(_ name: String) -> JSON? {
        guard let value = members[name], !value.isNull else { return nil }
        return value
    }

    func bool(_ name: String) throws(APIError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let bool = value.bool else { throw wrongKind(name, "true or false", value) }
        return bool
    }

    func string(_ name: String) throws(APIError) -> String? {
        guard let value = value(name) else { return nil }
        guard let string = value.string else { throw wrongKind(name, "a string", value) }
        return string
    }

    func array(_ name: String, countMax: Int) throws(APIError) -> [JSON]? {
        guard let value = value(name) else { return nil }
        guard let array = value.array else { throw wrongKind(name, "an array", value) }
        guard array.count <= countMax else {
            throw .invalid(prefix + name, "'\(prefix)\(name)' has \(array.count) elements; the limit is \(countMax)")
        }
        return array
    }

    func object(_ name: String) throws(APIError) -> OrderedDictionary<String, JSON>? {
        guard let value = value(name) else { return nil }
        guard let object = value.object else { throw wrongKind(name, "an object", value) }
        return object
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let integer = value.integer else { throw wrongKind(name, "a whole number", value) }
        guard range.contains(integer) else {
            throw .invalid(prefix + name, "'\(prefix)\(name)' is \(integer); \(RequestFields.words(for: range))")
        }
        return integer
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws(APIError) -> Float? {
        guard let value = value(name) else { return nil }
        guard let double = value.double else { throw wrongKind(name, "a number", value) }
        guard double.isFinite, range.contains(double) else {
            throw .invalid(
                prefix + name,
                "'\(prefix)\(name)' is \(double); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return Float(double)
    }

    func wrongKind(_ name: String, _ expected: String, _ found: JSON) -> APIError {
        .invalid(prefix + name, "'\(prefix)\(name)' must be \(expected), found \(RequestFields.words(for: found))")
    }

    private static func words(for range: ClosedRange<Int>) -> String {
        if range.upperBound == .max { return "it must be at least \(range.lowerBound)" }
        if range.lowerBound == .min { return "it must be at most \(range.upperBound)" }
        return "it must be from \(range.lowerBound) to \(range.upperBound)"
    }

    /// Numbers with their value, as "found number" does not help whoever wrote 1.5 for a whole number.
    private static func words(for value: JSON) -> String {
        switch value {
        case .double, .integer: value.serialised()
        case .array, .bool, .null, .object, .string: value.kindName
        }
    }
}
