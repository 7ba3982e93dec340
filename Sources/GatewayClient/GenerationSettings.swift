public import Basics
public import OrderedCollections

/// How answers are generated. What is nil is left to the gateway, which takes the model's own value.
public struct GenerationSettings: Equatable, Sendable {
    /// The model's name; `default` is whichever is served.
    public var model = "default"
    /// Most tokens of an answer.
    public var maxTokens: Int?
    /// 0 always takes the likeliest token, higher values are more varied; 0…2.
    public var temperature: Double?
    /// Only the likeliest tokens whose probabilities add up to this are drawn from; above 0, at most 1.
    public var topP: Double?
    /// The same seed gives the same answer.
    public var seed: Int?
    /// Further variables of the model's chat template, e.g. `enable_thinking`.
    public var templateArguments: OrderedDictionary<String, JSON> = [:]

    /// The settings that can be named, as options and by `/set`.
    public enum Name: String, CaseIterable, Sendable {
        case maxTokens = "max-tokens"
        case seed
        case temperature
        case topP = "top-p"

        /// What a value has to be, for people.
        var range: String {
            switch self {
            case .maxTokens: "a whole number from 1 to \(Limits.GatewayClient.tokensMax)"
            case .seed: "a whole number"
            case .temperature: "a number from 0 to \(DecimalText.text(Limits.Gateway.temperatureMax, digits: 0))"
            case .topP: "a number above 0 and at most 1"
            }
        }
    }

    /// Why a setting cannot be taken; one line for people.
    public enum Problem: Error, Equatable, CustomStringConvertible {
        /// The value is not what the setting has to be.
        case outOfRange(Name, value: String)
        /// The template argument is not `NAME=VALUE`.
        case templateArgumentUnreadable(String)
        /// There is no such setting.
        case unknown(name: String)

        /// One line for people.
        public var description: String {
            switch self {
            case .outOfRange(let name, let value): "\(name.rawValue) is '\(value)'; it must be \(name.range)"
            case .templateArgumentUnreadable(let text): "the template argument '\(text)' is not NAME=VALUE"
            case .unknown(let name):
                "there is no setting '\(name)'; there are "
                    + Name.allCases.map(\.rawValue).joined(separator: ", ")
            }
        }
    }

    /// Everything is left to the gateway.
    public init() {}

    /// Sets one setting from text; `default` leaves it to the gateway.
    public mutating func set(_ name: Name, to text: String) throws(Problem) {
        let isDefault = text == "default"
        var changed = self
        switch name {
        case .maxTokens: changed.maxTokens = isDefault ? nil : try Self.number(text, name)
        case .seed: changed.seed = isDefault ? nil : try Self.number(text, name)
        case .temperature: changed.temperature = isDefault ? nil : try Self.number(text, name)
        case .topP: changed.topP = isDefault ? nil : try Self.number(text, name)
        }
        do throws(Problem) {
            try changed.check()
        } catch {
            // In the words of whoever wrote it.
            throw .outOfRange(name, value: text)
        }
        self = changed
    }

    /// As `set`, by the name that people write.
    public mutating func set(named text: String, to value: String) throws(Problem) {
        guard let name = Name(rawValue: text.replacing("_", with: "-")) else { throw .unknown(name: text) }
        try set(name, to: value)
    }

    /// Refuses values that the gateway would refuse.
    public func check() throws(Problem) {
        if let maxTokens, !(1...Limits.GatewayClient.tokensMax).contains(maxTokens) {
            throw .outOfRange(.maxTokens, value: "\(maxTokens)")
        }
        if let temperature, !(0...Limits.Gateway.temperatureMax).contains(temperature) {
            throw .outOfRange(.temperature, value: "\(temperature)")
        }
        if let topP, !(topP > 0 && topP <= 1) { throw .outOfRange(.topP, value: "\(topP)") }
    }

    /// Adds a template argument `NAME=VALUE`; a value that is JSON counts as that, any other as text.
    public mutating func addTemplateArgument(_ text: String) throws(Problem) {
        guard let separator = text.firstIndex(of: "="), separator > text.startIndex else {
            throw .templateArgumentUnreadable(text)
        }
        let value = String(text[text.index(after: separator)...])
        templateArguments[String(text[..<separator])] = (try? JSON(parsing: value)) ?? .string(value)
    }

    /// One line per setting, for people.
    public var lines: [String] {
        Name.allCases.map { name in
            let value: String? =
                switch name {
                case .maxTokens: maxTokens.map { "\($0)" }
                case .seed: seed.map { "\($0)" }
                case .temperature: temperature.map { "\($0)" }
                case .topP: topP.map { "\($0)" }
                }
            return "\(name.rawValue): \(value ?? "default")"
        }
    }

    private static func number<Number: LosslessStringConvertible>(
        _ text: String, _ name: Name
    ) throws(Problem) -> Number {
        guard let number = Number(text) else { throw .outOfRange(name, value: text) }
        return number
    }
}
