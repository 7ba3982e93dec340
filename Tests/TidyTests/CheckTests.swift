import Testing

/// Each check on an example that it must let pass and on one that it must not: a check that cannot fail checks nothing.
@Suite("Checks of Tidy")
struct CheckTests {
    private let path = "Sources/Engine/Example.swift"

    /// How many findings a check has for a text, at a path.
    private func count(_ check: (SourceFile) -> [Finding], _ text: String, at path: String? = nil) -> Int {
        check(SourceFile(path ?? self.path, text)).count
    }

    @Test("Masking keeps lines and code, and blanks comments and strings")
    func masking() {
        let source =
            "let a = \"try! \\(b(\"x\")) }\" // as!\n"
            + "/* { /* } */ */ let c = #\"\\(d)\"#\nlet e = \"\"\"\n  {\n  \"\"\"\n"
        let code = SourceFile(path, source).codeLines.map { $0.text }
        #expect(code.count == 5)
        #expect(code[0].hasPrefix("let a = \"     \\(b(\" \"))  \""))
        #expect(!code[0].contains("as!"))
        #expect(code[1].hasSuffix("let c = #\"    \"#"))
        #expect(!code[3].contains("{"))
    }

    @Test("Masking of C knows characters and strings")
    func maskingC() {
        let code = SourceFile("Sources/CKernels/a.c", "char q = '\"'; /* x */ char *s = \"}\\\"\"; int y;\n").codeLines
        #expect(code[0].text == "char q = ' ';         char *s = \"   \"; int y;")
    }

    @Test("Line length")
    func lineLength() {
        #expect(count(TextChecks.lineLength, String(repeating: "ä", count: 120) + "\n") == 0)
        #expect(count(TextChecks.lineLength, String(repeating: "a", count: 121) + "\n") == 1)
        #expect(count(TextChecks.lineLength, String(repeating: "a", count: 121) + "\n", at: "README.md") == 0)
        #expect(count(TextChecks.lineLength, String(repeating: "a", count: 121) + "\n", at: "Sources/CPage/a.js") == 1)
        let long = String(repeating: "a b ", count: 40)
        #expect(count(TextChecks.lineLength, "let a = \"\(long)\"\n") == 0)
        #expect(count(TextChecks.lineLength, "// \(long)\n") == 1)
        #expect(count(TextChecks.lineLength, "let a = 1  // \(long)\n") == 1)
    }

    @Test("Whitespace")
    func whitespace() {
        #expect(count(TextChecks.whitespace, "a\n\nb\n") == 0)
        #expect(count(TextChecks.whitespace, "a \n") == 1)
        #expect(count(TextChecks.whitespace, "a\r\n") == 1)
        #expect(count(TextChecks.whitespace, "\ta\n") == 1)
        #expect(count(TextChecks.whitespace, "a") == 1)
        #expect(count(TextChecks.whitespace, "a\n\n") == 1)
    }

    @Test("Unfinished work")
    func unfinishedWork() {
        #expect(count(TextChecks.unfinishedWork, "let methodOf = todo // mktemp .XXXXXX\n") == 0)
        #expect(count(TextChecks.unfinishedWork, "// TO" + "DO: later\n") == 1)
        #expect(count(TextChecks.unfinishedWork, "# FIX" + "ME\n", at: "cluster/test") == 1)
    }

    @Test("Machine paths")
    func machinePaths() {
        #expect(count(TextChecks.machinePaths, "network/work/ and $(mktemp -d /tmp/x)\n") == 0)
        #expect(count(TextChecks.machinePaths, "see /ro" + "ot/x\n") == 1)
        #expect(count(TextChecks.machinePaths, "see /t" + "mp/x\n", at: "docs/A.md") == 1)
    }

    @Test("Markdown headings")
    func markdownHeading() {
        #expect(count(TextChecks.markdownHeading, "# A\n\n```sh\n# comment\n```\n\n## B\n", at: "docs/A.md") == 0)
        #expect(count(TextChecks.markdownHeading, "# A\n# B\n", at: "docs/A.md") == 1)
        #expect(count(TextChecks.markdownHeading, "A\n", at: "docs/A.md") == 1)
    }

    @Test("File extensions")
    func fileExtension() {
        #expect(count(TextChecks.fileExtension, "") == 0)
        #expect(count(TextChecks.fileExtension, "", at: "cluster/demo") == 0)
        #expect(count(TextChecks.fileExtension, "", at: ".gitignore") == 0)
        #expect(count(TextChecks.fileExtension, "", at: "Sources/Engine/a.orig") == 1)
        #expect(count(TextChecks.fileExtension, "", at: "core") == 1)
    }

    @Test("File length")
    func fileLength() {
        let lines = { String(repeating: "a\n", count: $0) }
        #expect(count(SizeChecks.fileLength, lines(500)) == 0)
        #expect(count(SizeChecks.fileLength, lines(501)) == 1)
        #expect(count(SizeChecks.fileLength, lines(800), at: "Tests/A/A.swift") == 0)
        #expect(count(SizeChecks.fileLength, lines(801), at: "Tests/A/A.swift") == 1)
    }

    @Test(
        "Function length in Swift",
        arguments: ["func a(_ b: () -> Void = {})", "init<T>(_ b: [T])", "subscript(a: Int)"])
    func functionLengthSwift(signature: String) {
        let function = { "struct A {\n    \(signature) {\n" + String(repeating: "b\n", count: $0) + "    }\n}\n" }
        #expect(count(SizeChecks.functionLength, function(68)) == 0)
        #expect(count(SizeChecks.functionLength, function(69)) == 1)
    }

    @Test("Requirements and calls are no functions")
    func functionLengthRequirements() {
        let filler = String(repeating: "\n", count: 80)
        #expect(count(SizeChecks.functionLength, "protocol A {\n    func a()\n    init(b: Int)\n}\n" + filler) == 0)
        #expect(count(SizeChecks.functionLength, "enum A {\n  let a = B.init()\n\(filler)\n  let c = { d }\n}\n") == 0)
    }

    @Test("Function length in C and Python")
    func functionLengthElsewhere() {
        let c = { "struct a { int b; };\nvoid f(int a)\n{\n" + String(repeating: "a();\n", count: $0) + "}\n" }
        #expect(count(SizeChecks.functionLength, c(68), at: "Sources/CKernels/a.c") == 0)
        #expect(count(SizeChecks.functionLength, c(69), at: "Sources/CKernels/a.c") == 1)
        let python = { "def f(\n    a,\n):\n" + String(repeating: "    a\n", count: $0) + "\nb = 1\n" }
        #expect(count(SizeChecks.functionLength, python(67), at: "Tests/a.py") == 0)
        #expect(count(SizeChecks.functionLength, python(68), at: "Tests/a.py") == 1)
    }

    @Test("Blob and fixture size")
    func blobSize() {
        let large = String(repeating: "a", count: Bounds.blobBytesMax + 1)
        #expect(count(SizeChecks.blobSize, large, at: "docs/a.json") == 1)
        #expect(count(SizeChecks.blobSize, large, at: "cluster/models/antling/a.safetensors") == 0)
        #expect(count(SizeChecks.blobSize, String(large.dropLast()), at: "docs/a.json") == 0)
        let fixtureCount = Bounds.fixtureBytesMax / Bounds.blobBytesMax
        let fixtures = (0..<fixtureCount).map { SourceFile("Tests/Fixtures/\($0)", large) }
        #expect(SizeChecks.fixtureSize(fixtures).count == 1)
        #expect(SizeChecks.fixtureSize(Array(fixtures.dropLast())).isEmpty)
    }

    @Test("Files in one folder")
    func filesInFolder() {
        let files = (0...Bounds.folderFilesMax).map { SourceFile("Sources/Engine/\($0).swift", "") }
        #expect(SizeChecks.filesInFolder(files).count == 1)
        #expect(SizeChecks.filesInFolder(Array(files.dropLast())).isEmpty)
    }

    @Test(
        "Banned constructs",
        arguments: [
            "try! a()", "a as! B", "fatalError(\"\")", "@testable import A", "DispatchQueue.global().async", "print(a)",
            "dump(a)", "exit(1)", "Foundation.exit(1)", "Glibc.exit(1)", "abort()",
        ])
    func banned(line: String) {
        #expect(count(ConstructChecks.banned, line + "\n") == 1)
        #expect(count(ConstructChecks.banned, "// \(line)\nlet a = #\"\(line)\"#\n") == 0)
    }

    @Test("Bans have their scope")
    func bannedScope() {
        #expect(count(ConstructChecks.banned, "print(a)\nexit(1)\n", at: "Sources/clusterctl/A.swift") == 0)
        #expect(count(ConstructChecks.banned, "print(a)\nexit(1)\n", at: "Sources/ServiceSupport/A.swift") == 1)
        #expect(count(ConstructChecks.banned, "func exit(a: Int)\nblueprint(a)\nlink.exit(a)\n") == 0)
        #expect(count(ConstructChecks.banned, "usleep(1)\n") == 0)
        #expect(count(ConstructChecks.banned, "usleep(1)\nThread.sleep(a)\n", at: "Tests/A/A.swift") == 2)
        #expect(count(ConstructChecks.banned, "printf(\"a\");\n", at: "Sources/CKernels/a.c") == 1)
    }

    @Test("Force unwraps")
    func forceUnwrap() {
        let bad = ["a!.b", "a()!", "a[0]!", "let a: B!", "f(a!, b)"]
        for line in bad { #expect(count(ConstructChecks.forceUnwrap, line + "\n") == 1, "\(line)") }
        let good = ["!a", "a != b", "if !a { !b }", "try! a", "a as! B", "\"a!\"", "f(!a)", "// a!"]
        for line in good { #expect(count(ConstructChecks.forceUnwrap, line + "\n") == 0, "\(line)") }
    }

    @Test("Promises to the compiler")
    func uncheckedSendable() {
        let type = "final class A: @unchecked Sendable {}\n"
        #expect(count(ConstructChecks.uncheckedSendable, "/// All state is guarded by `lock`.\n@frozen\n" + type) == 0)
        #expect(count(ConstructChecks.uncheckedSendable, type) == 1)
        #expect(count(ConstructChecks.uncheckedSendable, "/// An A.\n" + type) == 1)
        #expect(count(ConstructChecks.uncheckedSendable, "/// Only one thread has it.\n\n" + type) == 1)
        #expect(count(ConstructChecks.uncheckedSendable, "nonisolated(unsafe) var a = 1\n") == 1)
    }

    @Test("Imports only go down")
    func layers() {
        let good = "import Kernels\npublic import Basics\nimport struct Foundation.URL\nimport Dispatch\n"
        #expect(count(LayerChecks.imports, good) == 0)
        #expect(count(LayerChecks.imports, "import WorkerService\n") == 1)
        #expect(count(LayerChecks.imports, "import ExpertParallel\n") == 1)
        #expect(count(LayerChecks.imports, "import ArgumentParser\n") == 1)
        #expect(count(LayerChecks.imports, "import TestSupport\n") == 1)
        #expect(count(LayerChecks.imports, "import Foundation\n", at: "Sources/Placement/A.swift") == 1)
        #expect(count(LayerChecks.imports, "@preconcurrency import Glibc\n", at: "Sources/Wire/A.swift") == 1)
        #expect(count(LayerChecks.imports, "import Foundation\nimport Basics\n", at: "Sources/Wire/A.swift") == 0)
        #expect(count(LayerChecks.imports, "import Testing\n", at: "Sources/TestSupport/A.swift") == 0)
    }

    @Test("Every target has a level")
    func unknownTargets() {
        let files = Layers.levels.joined().map { SourceFile("Sources/\($0)/A.swift", "") }
        #expect(LayerChecks.unknownTargets(files).isEmpty)
        #expect(LayerChecks.unknownTargets(files + [SourceFile("Sources/Other/A.swift", "")]).count == 1)
        #expect(LayerChecks.unknownTargets(Array(files.dropLast())).count == 1)
    }

    @Test("Dead files")
    func deadFiles() {
        let used = SourceFile("Sources/Engine/Used.swift", "struct Used {\n    struct Inner {}\n}\n")
        let dead = SourceFile(
            "Sources/Engine/Dead.swift", "struct Dead {\n    let used: Used\n}\nfunc gone(a: Int) {}\n")
        let added = SourceFile("Sources/Engine/Used+More.swift", "extension Used {}\n")
        #expect(DeadFileCheck.unreferenced([used, dead, added]).map(\.path) == [dead.path])
        let user = SourceFile("Tests/EngineTests/A.swift", "let a = gone(a: 1)\n")
        #expect(DeadFileCheck.unreferenced([used, dead, added, user]).isEmpty)
    }

    @Test("The ratchet lets through what it names, and only goes down")
    func ratchet() {
        let findings = [1, 2].map { Finding(rule: .lineLength, path: path, line: $0, message: "long") }
        let entry = { RatchetEntry(rule: .lineLength, path: path, findingCount: $0, reason: "a table") }
        #expect(Ratchet.complaints(about: findings, entries: []).count == 2)
        #expect(Ratchet.complaints(about: findings, entries: [entry(2)]).isEmpty)
        #expect(Ratchet.complaints(about: findings, entries: [entry(1)]).count == 2)
        #expect(Ratchet.complaints(about: findings, entries: [entry(3)]).count == 1)
    }
}
