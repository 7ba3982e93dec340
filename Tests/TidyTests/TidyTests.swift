import Testing

/// The style rules as a test. Every check is a pure function over files that were read once; `CheckTests` holds each
/// of them to good and bad examples, this suite holds the repository to the checks.
@Suite("Tidy")
struct TidyTests {
    private static let fileChecks: [(name: String, check: @Sendable (SourceFile) -> [Finding])] = [
        ("line length", TextChecks.lineLength),
        ("whitespace", TextChecks.whitespace),
        ("unfinished work", TextChecks.unfinishedWork),
        ("machine paths", TextChecks.machinePaths),
        ("markdown heading", TextChecks.markdownHeading),
        ("file extension", TextChecks.fileExtension),
        ("file length", SizeChecks.fileLength),
        ("function length", SizeChecks.functionLength),
        ("blob size", SizeChecks.blobSize),
        ("banned constructs", ConstructChecks.banned),
        ("force unwrap", ConstructChecks.forceUnwrap),
        ("unchecked Sendable", ConstructChecks.uncheckedSendable),
        ("imports", LayerChecks.imports),
    ]

    private static let treeChecks: [(name: String, check: @Sendable ([SourceFile]) -> [Finding])] = [
        ("fixture size", SizeChecks.fixtureSize),
        ("files in a folder", SizeChecks.filesInFolder),
        ("targets", LayerChecks.unknownTargets),
        ("dead files", DeadFileCheck.unreferenced),
    ]

    @Test("The repository was found")
    func repositoryIsFound() {
        #expect(Repository.files.contains { $0.path == "Package.swift" })
        #expect(Repository.files.contains { $0.language == .swift && $0.isTest })
    }

    @Test("The repository keeps its rules")
    func repositoryIsTidy() {
        let findings =
            Self.fileChecks.flatMap { check in Repository.files.flatMap { check.check($0) } }
            + Self.treeChecks.flatMap { $0.check(Repository.files) }
        let complaints = Ratchet.complaints(about: findings, entries: Ratchet.entries)
        guard !complaints.isEmpty else { return }
        Issue.record("\(complaints.count) complaints\n\(complaints.joined(separator: "\n"))")
    }

    @Test("The formatter has nothing to say")
    func formatterIsContent() throws {
        let arguments = ["swift", "format", "lint", "--strict", "--recursive", "Sources", "Tests", "Package.swift"]
        let outcome = try #require(Repository.run(arguments), "there is no `swift format` in this toolchain")
        guard outcome.status != 0 else { return }
        Issue.record("swift format lint ended with \(outcome.status)\n\(outcome.output)")
    }
}
