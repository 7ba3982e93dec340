import Basics

/// Reads `config.json` key by key, so that each mistake is reported with the key, what stands there and what should.
public struct ConfigurationReader: Sendable {
    /// The document, an object.
    public let document: JSON
    private var defaults: [String: JSON] = [:]

    /// Reads from `document`.
    public init(_ document: JSON) { self.document = document }

    /// The value of `key`; nil if it is missing or null.
    public func value(_ key: String) -> JSON? {
        guard let value = document[key], !value.isNull else { return defaults[key] }
        return value
    }

    /// The same with what a family has where a key is missing or null.
    func filling(_ defaults: [String: JSON]) -> ConfigurationReader {
        var result = self
        result.defaults = defaults
        return result
    }

    /// A whole number within `range`; the default if the key is missing.
    public func integer(_ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil) throws(ModelError)
        -> Int
    {
        guard let value = value(key) else { return try required(fallback, key) }
        guard let number = value.integer, range.contains(number) else {
            throw invalid(key, value, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A finite number; the default if the key is missing.
    public func number(_ key: String, default fallback: Double? = nil) throws(ModelError) -> Double {
        guard let value = value(key) else { return try required(fallback, key) }
        guard let number = value.double else { throw invalid(key, value, "a number") }
        return number
    }

    /// A positive number; the default if the key is missing.
    public func positive(_ key: String, default fallback: Double? = nil) throws(ModelError) -> Double {
        let number = try number(key, default: fallback)
        guard number > 0 else { throw invalid(key, .double(number), "a positive number") }
        return number
    }

    /// A boolean; the default if the key is missing.
    public func bool(_ key: String, default fallback: Bool? = nil) throws(ModelError) -> Bool {
        guard let value = value(key) else { return try required(fallback, key) }
        guard let flag = value.bool else { throw invalid(key, value, "true or false") }
        return flag
    }

    /// One of several words; the default if the key is missing.
    public func choice(_ key: String, of supported: [String], default fallback: String? = nil) throws(ModelError)
        -> String
    {
        guard let value = value(key) else { return try required(fallback, key) }
        guard let word = value.string else { throw invalid(key, value, "one of \(supported.joined(separator: ", "))") }
        guard supported.contains(word) else {
            throw .configurationUnsupported(key: key, found: word, supported: supported)
        }
        return word
    }

    /// A list of whole numbers; empty if the key is missing.
    public func integers(_ key: String) throws(ModelError) -> [Int] {
        guard let value = value(key) else { return [] }
        guard let elements = value.array else { throw invalid(key, value, "a list of whole numbers") }
        var numbers: [Int] = []
        for element in elements {
            guard let number = element.integer else { throw invalid(key, element, "a whole number") }
            numbers.append(number)
        }
        return numbers
    }

    /// `layer_types` or another list with one of several words for each layer; nil if the key is missing.
    func layerTypes(
        _ key: String = "layer_types", of supported: [String], layerCount: Int
    ) throws(ModelError) -> [String]? {
        guard let value = value(key) else { return nil }
        guard let elements = value.array, elements.count == layerCount else {
            throw invalid(key, value, "a list with one word for each of the \(layerCount) layers")
        }
        var words: [String] = []
        for element in elements {
            guard let word = element.string, supported.contains(word) else {
                throw .configurationUnsupported(
                    key: key, found: element.string ?? element.serialised(), supported: supported)
            }
            words.append(word)
        }
        return words
    }

    /// `sliding_window`, the most positions that a token sees; nil if the key is missing.
    func window() throws(ModelError) -> Int? {
        guard value("sliding_window") != nil else { return nil }
        return try integer("sliding_window", in: 1...Limits.Models.contextTokensMax)
    }

    /// An object of its own; nil if the key is missing.
    public func object(_ key: String) throws(ModelError) -> ConfigurationReader? {
        guard let value = value(key) else { return nil }
        guard value.object != nil else { throw invalid(key, value, "an object") }
        return ConfigurationReader(value)
    }

    /// The error that says what stands at `key` instead of what is expected.
    public func invalid(_ key: String, _ found: JSON, _ expected: String) -> ModelError {
        .configurationInvalid(key: key, found: String(found.serialised().prefix(80)), expected: expected)
    }

    private func required<Value>(_ fallback: Value?, _ key: String) throws(ModelError) -> Value {
        guard let fallback else { throw .configurationKeyMissing(key: key) }
        return fallback
    }
}
