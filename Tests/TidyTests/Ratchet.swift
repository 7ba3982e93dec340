/// A place that may break a rule for now: never silently, never for ever.
struct RatchetEntry {
    let rule: Rule
    let path: String
    /// How many findings of this rule the file has today; fewer is an error too, so that the number only goes down.
    let findingCount: Int
    /// Why the rule makes this place worse, or what has to happen first.
    let reason: String
}

/// The exceptions.
enum Ratchet {
    static let entries: [RatchetEntry] = []

    /// The findings that no entry allows, and the entries that are out of date.
    static func complaints(about findings: [Finding], entries: [RatchetEntry]) -> [String] {
        let groups = Dictionary(grouping: findings) { "\($0.rule.rawValue) \($0.path)" }
        let allowed = Dictionary(entries.map { ("\($0.rule.rawValue) \($0.path)", $0.findingCount) }) { $0 + $1 }
        let excess = groups.filter { $0.value.count > allowed[$0.key, default: 0] }
            .flatMap { $0.value.map(\.description) }
        let stale = entries.filter { entry in
            groups["\(entry.rule.rawValue) \(entry.path)", default: []].count < entry.findingCount
        }.map {
            "Ratchet.swift: \($0.path) has fewer findings of \($0.rule.rawValue) than \($0.findingCount): lower it"
        }
        return excess.sorted() + stale.sorted()
    }
}
