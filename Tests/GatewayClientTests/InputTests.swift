import GatewayClient
import Testing

/// What is typed: commands, lines, keys.
@Suite struct InputTests {
    @Test(arguments: [
        ("hello", ChatInput.message("hello")),
        ("  two\nlines  ", .message("two\nlines")),
        ("", .nothing),
        (" \n\t ", .nothing),
        ("//etc is a directory", .message("/etc is a directory")),
        ("/help", .command(.help)),
        (" /quit ", .command(.quit)),
        ("/new", .command(.new)),
        ("/undo", .command(.undo)),
        ("/retry", .command(.retry)),
        ("/stats", .command(.stats)),
        ("/system", .command(.system)),
        ("/system be brief\nand kind", .command(.tell("be brief\nand kind"))),
        ("/system none", .command(.tell(nil))),
        ("/set", .command(.settings)),
        ("/set temperature 0.7", .command(.set(name: "temperature", value: "0.7"))),
        ("/set top_p=0.5", .command(.set(name: "top_p", value: "0.5"))),
        ("/save my chat.txt", .command(.save(path: "my chat.txt"))),
    ])
    func inputs(_ text: String, _ expected: ChatInput) {
        #expect(ChatInput(text) == expected)
    }

    @Test(arguments: ["/nonsense", "/", "/save", "/set temperature", "/quit now", "/Help"])
    func problemsAreExplained(_ text: String) throws {
        guard case .problem(let reason) = ChatInput(text) else {
            Issue.record("'\(text)' is taken for something")
            return
        }
        #expect(!reason.isEmpty && !reason.contains("\n"))
    }

    @Test func helpNamesEveryCommand() {
        for name in SlashCommand.Name.allCases { #expect(SlashCommand.explanation.contains("/" + name.rawValue)) }
        #expect(SlashCommand.explanation.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test func linesAreJoined() {
        var joiner = LineJoiner()
        #expect(joiner.append("a") == "a")
        #expect(joiner.append("a\\") == nil && joiner.isContinuing)
        #expect(joiner.append("\\") == nil)
        #expect(joiner.append("b") == "a\n\nb" && !joiner.isContinuing)
        #expect(joiner.append("c\\") == nil)
        #expect(joiner.end() == "c\n")
        #expect(joiner.end() == nil)
        #expect(joiner.append("d\\") == nil)
        joiner.clear()
        #expect(joiner.append("e") == "e")
    }

    private func keys(_ pieces: [String]) -> String {
        var decoder = KeyDecoder()
        var text = String.UnicodeScalarView()
        for piece in pieces { text.append(contentsOf: decoder.append(Array(piece.utf8))) }
        return String(text)
    }

    private let line = String(Character(KeyDecoder.lineBreakKey))

    @Test func keysPassAsTheyAre() {
        #expect(keys(["a\u{7F}\u{1}ä✓🙂\r"]) == "a\u{7F}\u{1}ä✓🙂\r")
        #expect(keys(["\u{1B}[A", "\u{1B}", "[200x", "\u{1B}\u{1B}[D"]) == "\u{1B}[A\u{1B}[200x\u{1B}\u{1B}[D")
    }

    @Test func pastedLinesAreText() {
        #expect(keys(["a\u{1B}[200~b\rc\r\nd\ne\tf\u{1B}[201~\r"]) == "ab\(line)c\(line)d\(line)e f\r")
        // What is pasted cannot press keys.
        #expect(keys(["\u{1B}[200~a\u{1B}[A\u{3}\u{4}b\u{1B}\u{1B}[201~c"]) == "a[Abc")
    }

    @Test func bracketsAndCharactersMayComeInPieces() {
        let text = "x\u{1B}[200~ä\n🙂\u{1B}[201~y"
        var decoder = KeyDecoder()
        var scalars = String.UnicodeScalarView()
        for byte in text.utf8 { scalars.append(contentsOf: decoder.append([byte])) }
        #expect(String(scalars) == "xä\(line)🙂y")
    }

    @Test func brokenBytesDoNotStopTheRest() {
        var decoder = KeyDecoder()
        let scalars = decoder.append([0x61, 0xFF, 0xC3, 0x28, 0x80, 0x62])
        #expect(scalars.first == "a" && scalars.last == "b" && scalars.contains("("))
    }
}
