/// Joins lines that end with a backslash with those that follow.
public struct LineJoiner: Sendable {
    private var pending = ""

    /// Nothing typed yet.
    public init() {}

    /// Whether the next line belongs to what was typed before.
    public var isContinuing: Bool { !pending.isEmpty }

    /// Takes a line without its end; the whole input, nil if another line belongs to it.
    public mutating func append(_ line: String) -> String? {
        guard line.hasSuffix("\\") else {
            defer { pending = "" }
            return pending + line
        }
        pending += line.dropLast() + "\n"
        return nil
    }

    /// No line follows: what was typed so far; nil if nothing.
    public mutating func end() -> String? {
        defer { pending = "" }
        return pending.isEmpty ? nil : pending
    }

    /// Forgets what was typed so far.
    public mutating func clear() { pending = "" }
}
