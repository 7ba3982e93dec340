import Basics
public import Logging
import OrderedCollections

/// Turns each event into one line: time in UTC, level, node, message, then the metadata sorted by key.
///
/// Text: `2026-11-23T15:04:05.678Z info worker-1 loaded shards count=12 model="a b"`. Whatever a message or value
/// holds, it stays on its line: control characters are escaped.
public struct LineLogHandler: LogHandler {
    /// Metadata that every event of this logger carries.
    public var metadata: Logger.Metadata = [:]
    /// Adds metadata at the time of the event, such as a request's id.
    public var metadataProvider: Logger.MetadataProvider?
    /// The least important events that are written.
    public var logLevel: Logger.Level = .info
    private let label: String
    private let node: String
    private let format: LogFormat
    private let write: @Sendable (String) -> Void

    /// A handler that gives each line, its newline included, to `write`, from whatever thread logs.
    public init(label: String, node: String, format: LogFormat, write: @escaping @Sendable (String) -> Void) {
        self.label = label
        self.node = node
        self.format = format
        self.write = write
    }

    /// One value of the metadata.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes the line of one event.
    public func log(event: LogEvent) {
        var values = metadata
        if let provided = metadataProvider?.get() { values.merge(provided) { $1 } }
        if let own = event.metadata { values.merge(own) { $1 } }
        if let error = event.error { values["error"] = "\(error)" }
        let sorted = values.sorted { $0.key < $1.key }
        let time = WallClock.timestamp()
        switch format {
        case .json: write(jsonLine(event, time: time, metadata: sorted))
        case .text: write(textLine(event, time: time, metadata: sorted))
        }
    }

    private func textLine(
        _ event: LogEvent, time: String, metadata: [(key: String, value: Logger.Metadata.Value)]
    ) -> String {
        var line = "\(time) \(event.level) \(node) "
        appendEscaped(event.message.description, to: &line)
        for (key, value) in metadata {
            line += " "
            appendEscaped(key, to: &line)
            let text = value.description
            let isPlain = !text.isEmpty && !text.contains { " \"=\n\r\t".contains($0) }
            line += "="
            if isPlain { appendEscaped(text, to: &line) } else { line += JSON.string(text).serialised() }
        }
        return line + "\n"
    }

    private func jsonLine(
        _ event: LogEvent, time: String, metadata: [(key: String, value: Logger.Metadata.Value)]
    ) -> String {
        var members: [(String, JSON)] = [
            ("time", .string(time)), ("level", .string(event.level.rawValue)), ("node", .string(node)),
            ("logger", .string(label)), ("message", .string(event.message.description)),
        ]
        if !metadata.isEmpty {
            let values = metadata.map { ($0.key, json($0.value)) }
            members.append(("metadata", .object(.init(values, uniquingKeysWith: { $1 }))))
        }
        return JSON.object(.init(members, uniquingKeysWith: { $1 })).serialised() + "\n"
    }

    private func json(_ value: Logger.Metadata.Value) -> JSON {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let convertible): .string(convertible.description)
        case .array(let values): .array(values.map(json))
        case .dictionary(let values):
            .object(
                .init(values.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) }, uniquingKeysWith: { $1 }))
        }
    }

    private func appendEscaped(_ text: String, to line: inout String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                line += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: line.unicodeScalars.append(scalar)
            }
        }
    }
}
