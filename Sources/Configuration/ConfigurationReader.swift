import Basics
import Foundation

/// Finds the value of each key (command line before environment before file before default) and turns it into its type.
struct ConfigurationReader {
    let file: ConfigurationFile
    let environment: [String: String]
    /// Values by key, from the command line.
    let overrides: [String: String]

    /// The text of a key and where it is from; nil when it is absent and may be. `position` is the worker's.
    func text(
        _ option: ConfigurationOption, position: Int? = nil
    ) throws(ConfigurationError) -> (text: String, source: ConfigurationSource)? {
        let key = fullKey(option, position)
        if option.isOverridable {
            if let text = overrides[option.key] { return nonEmpty(text, .commandLine(option: option.flag)) }
            if let text = environment[option.environmentName] {
                return nonEmpty(text, .environment(name: option.environmentName))
            }
        }
        if let entry = file.entries[key] { return nonEmpty(entry.text, .file(path: file.path, line: entry.line)) }
        guard let text = option.defaultText else {
            throw .keyMissing(
                key: key, path: file.path.isEmpty ? "configuration" : file.path,
                line: position.map { file.workerLines[$0] })
        }
        return nonEmpty(text, .defaultValue)
    }

    /// A set but empty value means "absent": that is how a value of the file is taken back on a command line.
    private func nonEmpty(
        _ text: String, _ source: ConfigurationSource
    ) -> (text: String, source: ConfigurationSource)? {
        text.isEmpty ? nil : (text, source)
    }

    private func fullKey(_ option: ConfigurationOption, _ position: Int?) -> String {
        position.map { option.key.replacing("workers[]", with: "workers[\($0)]") } ?? option.key
    }

    private func option(_ key: String) -> ConfigurationOption {
        guard let option = ConfigurationOption.find(key) else {
            preconditionFailure("the key \(key) is missing in the table of options")
        }
        return option
    }

    /// The value of `key`, made from its text by `convert`, which gives nil for what is not allowed.
    private func value<Value>(
        _ key: String, position: Int?, convert: (String, ConfigurationSource) -> Value?
    ) throws(ConfigurationError) -> Value? {
        let option = option(key)
        guard let (text, source) = try text(option, position: position) else { return nil }
        guard let value = convert(text, source) else {
            throw .valueInvalid(
                key: fullKey(option, position), source: source, found: text, expected: option.kind.expectation)
        }
        return value
    }

    /// As `value`, for keys whose value may not be absent.
    private func required<Value>(
        _ key: String, position: Int?, convert: (String, ConfigurationSource) -> Value?
    ) throws(ConfigurationError) -> Value {
        guard let value = try value(key, position: position, convert: convert) else {
            let option = option(key)
            throw .valueInvalid(
                key: fullKey(option, position), source: source(key, position: position), found: "",
                expected: option.kind.expectation)
        }
        return value
    }

    /// Where the value of `key` is from.
    func source(_ key: String, position: Int? = nil) -> ConfigurationSource {
        let option = option(key)
        if option.isOverridable, overrides[key] != nil { return .commandLine(option: option.flag) }
        if option.isOverridable, environment[option.environmentName] != nil {
            return .environment(name: option.environmentName)
        }
        if let entry = file.entries[fullKey(option, position)] { return .file(path: file.path, line: entry.line) }
        return .defaultValue
    }

    func integer(_ key: String, position: Int? = nil) throws(ConfigurationError) -> Int {
        guard case .integer(let range) = option(key).kind else { preconditionFailure("\(key) is no number") }
        return try required(key, position: position) { text, _ in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func byteCountIfSet(_ key: String, position: Int? = nil) throws(ConfigurationError) -> UInt64? {
        guard case .byteCount(let range) = option(key).kind else { preconditionFailure("\(key) is no size") }
        return try value(key, position: position) { text, _ in
            ByteCountText.parse(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func byteCount(_ key: String) throws(ConfigurationError) -> UInt64 {
        guard let value = try byteCountIfSet(key) else {
            throw .valueInvalid(key: key, source: source(key), found: "", expected: option(key).kind.expectation)
        }
        return value
    }

    func choice(_ key: String, position: Int? = nil) throws(ConfigurationError) -> String {
        guard case .choice(let words) = option(key).kind else { preconditionFailure("\(key) is no choice") }
        return try required(key, position: position) { text, _ in words.contains(text) ? text : nil }
    }

    func instructionSet(_ key: String, position: Int? = nil) throws(ConfigurationError) -> InstructionSetChoice {
        try required(key, position: position) { text, _ in InstructionSetChoice(rawValue: text) }
    }

    func pinning(_ key: String, position: Int? = nil) throws(ConfigurationError) -> PinningChoice {
        try required(key, position: position) { text, _ in PinningChoice(rawValue: text) }
    }

    func hugePages(_ key: String, position: Int? = nil) throws(ConfigurationError) -> HugePagesChoice {
        try required(key, position: position) { text, _ in HugePagesChoice(rawValue: text) }
    }

    func keyValueFormat(_ key: String) throws(ConfigurationError) -> KeyValueFormatChoice {
        try required(key, position: nil) { text, _ in KeyValueFormatChoice(rawValue: text) }
    }

    func activations(_ key: String) throws(ConfigurationError) -> ActivationsChoice {
        try required(key, position: nil) { text, _ in ActivationsChoice(rawValue: text) }
    }

    func results(_ key: String) throws(ConfigurationError) -> ResultsChoice {
        try required(key, position: nil) { text, _ in ResultsChoice(rawValue: text) }
    }

    func node(_ key: String, position: Int? = nil) throws(ConfigurationError) -> NodeID {
        try required(key, position: position) { text, _ in isNodeName(text) ? NodeID(text) : nil }
    }

    func endpoint(_ key: String, position: Int? = nil) throws(ConfigurationError) -> String {
        try required(key, position: position) { text, _ in isEndpoint(text) ? text : nil }
    }

    func textIfSet(_ key: String) throws(ConfigurationError) -> String? {
        try value(key, position: nil) { text, _ in text }
    }

    func pathIfSet(_ key: String) throws(ConfigurationError) -> String? {
        try value(key, position: nil) { text, source in
            guard !text.utf8.contains(0) else { return nil }
            guard case .file = source, !text.hasPrefix("/") else { return text }
            return file.directory + "/" + text
        }
    }

    func path(_ key: String) throws(ConfigurationError) -> String {
        guard let path = try pathIfSet(key) else {
            throw .valueInvalid(key: key, source: source(key), found: "", expected: option(key).kind.expectation)
        }
        return path
    }
}

/// Whether `text` can be a certificate's common name and part of a file name.
func isNodeName(_ text: String) -> Bool {
    (1...Limits.Configuration.nodeNameBytesMax).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        } && text != "." && text != ".."
}

/// Whether `text` is `host:port`, with brackets around an IPv6 address.
func isEndpoint(_ text: String) -> Bool {
    guard let colon = text.lastIndex(of: ":") else { return false }
    let host = text[..<colon]
    let port = text[text.index(after: colon)...]
    guard !port.isEmpty, port.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
        UInt16(port) != nil
    else { return false }
    if host.hasPrefix("["), host.hasSuffix("]") {
        let address = host.dropFirst().dropLast()
        return !address.isEmpty && address.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." || $0 == "%" }
    }
    return !host.isEmpty && host.utf8.count <= 253
        && host.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-" || $0 == "_") }
}
