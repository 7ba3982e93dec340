import Basics

/// Reads one component of `tokenizer.json` (an object with a `type`): typed members, errors that name the component.
struct ComponentReader {
    static let file = "tokenizer.json"

    /// What the component is for, for instance `pre_tokenizer`.
    let role: String
    /// The component's `type`.
    let type: String
    private let json: JSON

    init(_ json: JSON, role: String) throws(TokenizerError) {
        guard let type = json["type"]?.string else {
            throw .fileMalformed(file: Self.file, reason: "\(role) has no type")
        }
        self.json = json
        self.role = role
        self.type = type
    }

    /// The components within a `Sequence`, each with its reader; any other component is a sequence of itself.
    static func flattened(_ json: JSON?, role: String, listKey: String) throws(TokenizerError) -> [ComponentReader] {
        guard let json, !json.isNull else { return [] }
        return try flatten(json, role: role, listKey: listKey, depth: 0)
    }

    private static func flatten(
        _ json: JSON, role: String, listKey: String, depth: Int
    ) throws(TokenizerError) -> [ComponentReader] {
        guard depth < Limits.Tokenizer.sequenceNestingMax else {
            throw .limitExceeded(
                what: "nested sequences of a \(role)", count: depth + 1, limit: Limits.Tokenizer.sequenceNestingMax)
        }
        let reader = try ComponentReader(json, role: role)
        guard reader.type == "Sequence" else { return [reader] }
        var components: [ComponentReader] = []
        for element in try reader.array(listKey) {
            components += try flatten(element, role: role, listKey: listKey, depth: depth + 1)
        }
        return components
    }

    func bool(_ key: String, default value: Bool) throws(TokenizerError) -> Bool {
        guard let member = json[key], !member.isNull else { return value }
        guard let flag = member.bool else { throw malformed("'\(key)' must be true or false") }
        return flag
    }

    func string(_ key: String, default value: String? = nil) throws(TokenizerError) -> String {
        guard let member = json[key] else {
            guard let value else { throw malformed("'\(key)' is missing") }
            return value
        }
        guard let text = member.string else { throw malformed("'\(key)' must be a string") }
        return text
    }

    /// A whole number from 0 on; 0 if it is not there.
    func count(_ key: String) throws(TokenizerError) -> Int {
        guard let member = json[key], !member.isNull else { return 0 }
        guard let count = member.integer, count >= 0 else { throw malformed("'\(key)' must be a number from 0") }
        return count
    }

    func array(_ key: String) throws(TokenizerError) -> [JSON] {
        guard let elements = json[key]?.array else { throw malformed("'\(key)' must be an array") }
        return elements
    }

    func member(_ key: String) -> JSON? { json[key] }

    /// The expression of `{"Regex": …}` or the escaped text of `{"String": …}`.
    func pattern(_ key: String = "pattern") throws(TokenizerError) -> Pattern {
        if let expression = json[key]?["Regex"]?.string { return try Pattern(expression) }
        guard let text = json[key]?["String"]?.string ?? json[key]?.string else {
            throw malformed("'\(key)' must be {\"Regex\": …} or {\"String\": …}")
        }
        return try Pattern(Self.escaped(text))
    }

    /// A regular expression that matches exactly `text`.
    static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { String(format: $0) }.joined()
    }

    func malformed(_ reason: String) -> TokenizerError {
        .fileMalformed(file: Self.file, reason: "\(role) \(type): \(reason)")
    }

    func unsupported(_ supported: [String]) -> TokenizerError {
        .componentUnsupported(component: role, found: type, supported: supported)
    }
}

extension String {
    /// A scalar as a regular expression's `\x{…}`.
    fileprivate init(format scalar: Unicode.Scalar) {
        self = "\\x{\(String(scalar.value, radix: 16))}"
    }
}
