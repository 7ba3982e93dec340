import Basics
import Foundation
import Testing
import Tokenizer

/// The files beside this one; `Fixtures/make_fixtures.py` makes the golden ones.
enum Fixtures {
    static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: directory.appending(path: name)))
    }

    static func json(_ name: String) throws -> JSON { try JSON(parsing: try bytes(name)) }

    static func text(_ name: String) throws -> String {
        try #require(String(validating: try bytes(name), as: UTF8.self))
    }

    static let tokenizerNames = [
        "deepseek", "gpt2", "llama", "odd", "pieces", "pieces-bare", "pieces-first", "pieces-split", "qwen", "words",
    ]

    static func tokenizer(_ name: String) throws -> BPETokenizer {
        var files = TokenizerFiles()
        files["tokenizer.json"] = try bytes("tokenizer-\(name).json")
        return try BPETokenizer(files: files)
    }

    /// The Qwen-like tokenizer with other members.
    static func tokenizer(json changes: [String: JSON]) throws -> BPETokenizer {
        var document = try json("tokenizer-qwen.json")
        for (key, value) in changes { document = document.setting(key, to: value) }
        var files = TokenizerFiles()
        files["tokenizer.json"] = Array(document.serialised().utf8)
        return try BPETokenizer(files: files)
    }
}

extension [TokenID] {
    init(_ json: JSON?) throws {
        self = try #require(json?.array).map { TokenID(Int32(try #require($0.integer))) }
    }
}

/// A small generator with a seed, so that a failing case can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
