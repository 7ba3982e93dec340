import Wire

/// Experts of tokens whose text is not out yet: a token's experts come with the piece of the answer that completes its
/// text, so that whoever shows the text knows which experts it came from.
struct HeldExperts: Sendable {
    private struct Entry {
        let experts: RoutedExperts
        /// How long the answer's text is (Unicode scalars) once the token's is complete; nil while a character of it is
        /// incomplete.
        var textEnd: Int?
    }

    /// In order; `textEnd` never falls, and those that have none are the last.
    private var entries: [Entry] = []

    /// The next token came.
    mutating func append(_ experts: RoutedExperts) { entries.append(Entry(experts: experts, textEnd: nil)) }

    /// The text of all tokens so far ends at `textEnd`; where it breaks off within a character, this is the last
    /// token's.
    mutating func settle(textEnd: Int, endsWithinCharacter: Bool) {
        for index in entries.indices.dropLast(endsWithinCharacter ? 1 : 0).reversed() {
            guard entries[index].textEnd == nil else { return }
            entries[index].textEnd = textEnd
        }
    }

    /// Takes out the tokens whose text is complete once `scalarCount` scalars are out.
    mutating func release(through scalarCount: Int) -> [RoutedExperts] {
        take(entries.prefix { $0.textEnd.map { $0 <= scalarCount } ?? false }.count)
    }

    /// Takes out the rest: no more text comes.
    mutating func releaseAll() -> [RoutedExperts] { take(entries.count) }

    private mutating func take(_ count: Int) -> [RoutedExperts] {
        defer { entries.removeFirst(count) }
        return entries.prefix(count).map(\.experts)
    }
}
