public import Basics
import OrderedCollections

/// What a request says of its tools' parameters, for models that write values as bare text: whether `5` is a number or
/// a word depends on the parameter.
public struct ToolSchemas: Hashable, Sendable {
    /// By function and parameter: the types of JSON that the value may have.
    private var types: [String: [String: Set<String>]] = [:]

    /// Reads the field `tools`.
    public init(_ tools: JSON) {
        for tool in tools.array ?? [] {
            guard let function = tool["function"], let name = function["name"]?.string else { continue }
            for (parameter, schema) in function["parameters"]?["properties"]?.object ?? [:] {
                types[name, default: [:]][parameter] = Self.types(of: schema)
            }
        }
    }

    /// The value that a model means by bare text. A parameter of which nothing is known is what the text looks like.
    func value(of text: String, function: String, parameter: String) -> JSON {
        let types = types[function]?[parameter] ?? []
        if types == ["string"] { return .string(text) }
        if types.contains("boolean"), let flag = Self.flags[text] { return .bool(flag) }
        guard let value = try? JSON(parsing: text) else { return .string(text) }
        // A text that looks like a number where no number may be.
        if types.contains("string"), !Self.isOne(value, of: types) { return .string(text) }
        return value
    }

    private static func isOne(_ value: JSON, of types: Set<String>) -> Bool {
        types.contains(type(of: value)) || types.contains(value.kindName)
    }

    /// As Python writes them, which some templates do.
    private static let flags = ["True": true, "False": false]

    private static func types(of schema: JSON) -> Set<String> {
        if let type = schema["type"]?.string { return [type] }
        if let several = schema["type"]?.array { return Set(several.compactMap(\.string)) }
        let alternatives = ["anyOf", "oneOf"].lazy.compactMap { schema[$0]?.array }.first ?? []
        if !alternatives.isEmpty { return alternatives.reduce(into: []) { $0.formUnion(types(of: $1)) } }
        return Set((schema["enum"]?.array ?? []).map(type))
    }

    private static func type(of value: JSON) -> String {
        if case .integer = value { "integer" } else { value.kindName }
    }
}
