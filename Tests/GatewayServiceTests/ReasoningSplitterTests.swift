import Basics
import GatewayService
import Testing
import Tokenizer
import Wire

/// A small generator with a seed, so that a failing case can be run again.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Reasoning and answer")
struct ReasoningSplitterTests {
    /// What is fed: text, or a mark that is a token.
    private enum Piece {
        case mark(ReasoningMark, String)
        case text(String)
    }

    private struct Split: Equatable {
        var reasoning = ""
        var answer = ""

        mutating func add(_ segments: [AnswerSegment]) {
            for segment in segments {
                switch segment.channel {
                case .answer: answer += segment.text
                case .call(let function): answer += "[\(function)(\(segment.text))]"
                case .reasoning: reasoning += segment.text
                }
            }
        }
    }

    private static let marks: [(String, ReasoningMark)] = [
        ("<think>", .open), ("</think>", .close), ("<|start|>", .start), ("<|channel|>", .channel),
        ("<|message|>", .message), ("<|end|>", .end), ("<|constrain|>", .constrain),
    ]

    /// The text cut at its marks.
    private static func pieces(_ text: String) -> [Piece] {
        var pieces: [Piece] = []
        var rest = text[...]
        while !rest.isEmpty {
            let next = marks.compactMap { name, mark in rest.firstRange(of: name).map { (range: $0, name, mark) } }
                .min { $0.range.lowerBound < $1.range.lowerBound }
            guard let next else { return pieces + [.text(String(rest))] }
            if next.range.lowerBound > rest.startIndex { pieces.append(.text(String(rest[..<next.range.lowerBound]))) }
            pieces.append(.mark(next.2, next.1))
            rest = rest[next.range.upperBound...]
        }
        return pieces
    }

    /// Splits a text whose every character comes by itself.
    private func split(_ model: ReasoningModel, _ text: String, start: ReasoningStart = .outside) throws -> Split {
        let marks = try #require(try model.context().reasoning)
        var splitter = ReasoningSplitter(marks, start: start)
        var split = Split()
        for piece in model == .text ? [.text(text)] : Self.pieces(text) {
            switch piece {
            case .mark(let mark, let name): split.add(splitter.append(mark, text: model == .tokens ? name : ""))
            case .text(let text): for character in text { split.add(splitter.append(String(character))) }
            }
        }
        split.add(splitter.finish())
        return split
    }

    private static let withTags: [ReasoningModel] = [.special, .tokens, .text]

    @Test("between the marks is reasoning, white space around it is dropped", arguments: withTags)
    func tags(_ model: ReasoningModel) throws {
        for (text, reasoning, answer) in [
            ("<think>\nWhy?\n</think>\n\nSo.", "Why?", "So."),
            ("\n<think>a  b\n\nc</think>d\n", "a  b\n\nc", "d\n"),
            ("<think></think>Only that.", "", "Only that."),
            ("<think>\n\n</think>\n\n", "", ""),
            ("<think>cut sho", "cut sho", ""),
            ("<think>cut \n", "cut", ""),
            ("No thought.", "", "No thought."),
            ("  \n x ", "", "  \n x "),
            (" \n", "", " \n"),
            ("", "", ""),
            ("<think>1 < 2 </ think></think>3 </", "1 < 2 </ think>", "3 </"),
            ("<think>é蜂🐝</think>🐜e\u{301}", "é蜂🐝", "🐜e\u{301}"),
            ("<think>a</think><think>b</think>c", "ab", "c"),
            ("</think>told not to", "", "told not to"),
        ] {
            let expected = Split(reasoning: reasoning, answer: answer)
            #expect(try split(model, text) == expected, "\(text)")
        }
    }

    @Test("a prompt that ends within reasoning, or within an answer", arguments: withTags)
    func starts(_ model: ReasoningModel) throws {
        let within = "Why?\n</think>\n\nSo."
        #expect(try split(model, within, start: .reasoning) == Split(reasoning: "Why?", answer: "So."))
        let twice = "<think>\nWhy?</think>So."
        #expect(try split(model, twice, start: .reasoning) == Split(reasoning: "Why?", answer: "So."))
        #expect(try split(model, " and so.\n", start: .answer) == Split(answer: " and so.\n"))
    }

    @Test("in an answer that has begun, marks are text if they leave any")
    func marksInTheAnswer() throws {
        let text = "<think>x</think>It writes <think>y</think>."
        for model in [ReasoningModel.text, .tokens] {
            #expect(try split(model, text) == Split(reasoning: "x", answer: "It writes <think>y</think>."))
        }
        #expect(try split(.special, text) == Split(reasoning: "x", answer: "It writes y."))
        #expect(try split(.tokens, "<think>a <think>b</think>c") == Split(reasoning: "a <think>b", answer: "c"))
    }

    @Test("messages with channels")
    func channels() throws {
        let analysis = "<|channel|>analysis<|message|>They greet.<|end|><|start|>assistant"
        let final = "<|channel|>final<|message|>Hello!"
        #expect(try split(.channels, analysis + final) == Split(reasoning: "They greet.", answer: "Hello!"))
        #expect(try split(.channels, final) == Split(answer: "Hello!"))
        let preamble = "<|channel|>commentary<|message|>I look it up.<|end|><|start|>assistant"
        #expect(try split(.channels, analysis + analysis) == Split(reasoning: "They greet.They greet."))
        #expect(
            try split(.channels, analysis + preamble + final)
                == Split(reasoning: "They greet.", answer: "I look it up.Hello!"))
        let call = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\":1}"
        #expect(
            try split(.channels, analysis + call)
                == Split(reasoning: "They greet.", answer: "commentary to=functions.f json{\"a\":1}"))
        #expect(try split(.channels, "no messages at all") == Split(answer: "no messages at all"))
        let long = String(repeating: "no messages at all, ", count: 40)
        #expect(try split(.channels, long) == Split(answer: long))
        #expect(try split(.channels, "<|channel|>anal") == Split())
        #expect(try split(.channels, "Hmm.<|end|>", start: .reasoning) == Split(reasoning: "Hmm."))
        #expect(try split(.channels, " more", start: .answer) == Split(answer: " more"))
    }

    @Test("however text is cut, the split is the same and nothing that is certain is held back")
    func anyCut() throws {
        var generator = SeededGenerator(state: 7)
        let parts = [
            "<think>", "</think>", "<", "/", "think", ">", "</thin", "\n", " ", "a", "é", "🐝", "<think",
            "\t\r\n", "e\u{301}",
        ]
        let marks = try #require(try ReasoningModel.text.context().reasoning)
        for _ in 0..<3000 {
            let count = Int.random(in: 0...14, using: &generator)
            let text = (0..<count).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
            let start: ReasoningStart = [.outside, .reasoning, .answer].randomElement(using: &generator) ?? .outside
            var expected = Split()
            var whole = ReasoningSplitter(marks, start: start)
            expected.add(whole.append(text) + whole.finish())
            var found = Split()
            var splitter = ReasoningSplitter(marks, start: start)
            var rest = Array(text.unicodeScalars)[...]
            while !rest.isEmpty {
                let size = min(Int.random(in: 1...6, using: &generator), rest.count)
                var piece = String.UnicodeScalarView()
                piece.append(contentsOf: rest.prefix(size))
                found.add(splitter.append(String(piece)))
                rest = rest.dropFirst(size)
                #expect(splitter.heldScalarCount <= text.unicodeScalars.count)
            }
            found.add(splitter.finish())
            #expect(found == expected, "\(text.debugDescription) from \(start)")
            #expect(splitter.heldScalarCount == 0)
        }
    }

    @Test("marks are found in the vocabulary, else in the template; models without any have none")
    func marksOfModels() throws {
        #expect(try TestModel.context().reasoning == nil)
        let tags = ReasoningFormat.tags(open: "<think>", close: "</think>")
        for model in [ReasoningModel.special, .tokens, .opened] {
            let marks = try #require(try model.context().reasoning)
            #expect(marks.format == tags)
            #expect(marks.tokens == [TokenID(259): .open, TokenID(260): .close])
        }
        let text = try #require(try ReasoningModel.text.context().reasoning)
        #expect(text.format == tags)
        #expect(text.tokens.isEmpty)
        let channels = try #require(try ReasoningModel.channels.context().reasoning)
        #expect(channels.format == .channels)
        #expect(channels.tokens.count == 7)
        #expect(channels.tokens[TokenID(262)] == .end)
    }
}
