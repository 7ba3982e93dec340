/// Why a model cannot be served.
public enum ModelError: Error, Equatable, CustomStringConvertible {
    /// A key of `config.json` has a value that the family does not allow.
    case configurationInvalid(key: String, found: String, expected: String)
    /// A key of `config.json` is missing.
    case configurationKeyMissing(key: String)
    /// A value of `config.json` is known to the format, but not to Colony.
    case configurationUnsupported(key: String, found: String, supported: [String])
    /// The model has no layer that predicts further tokens.
    case predictionLayersMissing(family: String, supported: [String])
    /// No architecture of this name is registered.
    case unknownArchitecture(found: String, supported: [String])

    /// One line for people.
    public var description: String {
        switch self {
        case .configurationInvalid(let key, let found, let expected):
            "config.json: '\(key)' is \(found), expected \(expected)"
        case .configurationKeyMissing(let key):
            "config.json: '\(key)' is missing"
        case .configurationUnsupported(let key, let found, let supported):
            "config.json: '\(key)' is '\(found)', supported: \(supported.joined(separator: ", "))"
        case .predictionLayersMissing(let family, let supported):
            """
            the files have no layer that predicts further tokens (the family is \(family)); families of which some \
            have one: \(supported.joined(separator: ", "))
            """
        case .unknownArchitecture(let found, let supported):
            "unknown architecture '\(found)', supported: \(supported.joined(separator: ", "))"
        }
    }
}
