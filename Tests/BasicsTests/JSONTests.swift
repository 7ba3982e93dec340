import Basics
import Testing

struct JSONParserTests {
    private func error(_ text: String) -> JSONError? {
        do {
            _ = try JSON(parsing: text)
            return nil
        } catch {
            return error
        }
    }

    @Test func parsesValues() throws {
        #expect(try JSON(parsing: " null ") == .null)
        #expect(try JSON(parsing: "true") == .bool(true))
        #expect(try JSON(parsing: "\t[false]\r\n") == [false])
        #expect(try JSON(parsing: "-0") == .integer(0))
        #expect(try JSON(parsing: "9223372036854775807") == .integer(.max))
        #expect(try JSON(parsing: "-9223372036854775808") == .integer(.min))
        #expect(try JSON(parsing: "9223372036854775808") == .double(9_223_372_036_854_775_808))
        #expect(try JSON(parsing: "1.5e-3") == .double(0.0015))
        #expect(try JSON(parsing: "1E+2") == .double(100))
        #expect(try JSON(parsing: "[]") == .array([]))
        #expect(try JSON(parsing: "{}") == [:])
        #expect(try JSON(parsing: #"{"a": [1, {"b": "c"}], "d": null}"#) == ["a": [1, ["b": "c"]], "d": nil])
    }

    @Test func keepsTheOrderOfKeys() throws {
        let text = #"{"z":1,"a":2,"m":{"y":1,"b":2}}"#
        #expect(try JSON(parsing: text).serialised() == text)
        #expect(try JSON(parsing: #"{"a":1,"b":2,"a":3}"#).serialised() == #"{"a":3,"b":2}"#)
    }

    /// Keys of an object are equal if their characters are; pairs stay apart.
    @Test func givesPairs() throws {
        let text = #"{"a":{"vocab":{"\u00c5":1,"A\u030a":2,"x":{"vocab":{}}},"b":{"vocab":{}}},"vocab":{}}"#
        let document = try JSON(parsing: Array(text.utf8), pairsAt: ["a", "vocab"])
        let pairs = try #require(document["a"]?["vocab"]?.array)
        #expect(pairs.count == 3 && pairs[2] == ["x", ["vocab": [:]]])
        #expect(pairs.compactMap { $0.array?.first?.string?.utf8.count } == [2, 3, 1])
        #expect(document["a"]?["b"] == ["vocab": [:]] && document["vocab"] == [:])
        #expect(try JSON(parsing: text)["a"]?["vocab"] == ["\u{C5}": 2, "x": ["vocab": [:]]])
        #expect(try JSON(parsing: Array("{}".utf8), pairsAt: []) == [])
    }

    @Test func decodesStrings() throws {
        #expect(try JSON(parsing: #""\"\\\/\b\f\n\r\t""#) == "\"\\/\u{8}\u{C}\n\r\t")
        #expect(try JSON(parsing: #""\u00e9\ud83d\udc26é🐦\u0000""#) == "é🐦é🐦\0")
        #expect(try JSON(parsing: #""\ud800x""#) == "\u{FFFD}x")
        #expect(try JSON(parsing: #""\udc00\ud800\u0041""#) == "\u{FFFD}\u{FFFD}A")
        #expect(try JSON(parsing: "\"a\u{7F}\u{301}\"") == "a\u{7F}\u{301}")
    }

    @Test(arguments: [
        ("", 0), ("  ", 2), ("nul", 3), ("tru e", 3), ("[1,]", 3), ("[1 2]", 3), ("{\"a\" 1}", 5), ("{a:1}", 1),
        ("{\"a\":1,}", 7), ("01", 1), ("1.", 2), ("-", 1), ("1e", 2), ("+1", 0), (".5", 0), ("\"a", 2), ("\"\\x\"", 3),
        ("\"\\u12g4\"", 5), ("\"a\nb\"", 2), ("1 1", 2), ("[", 1), ("{", 1), ("'a'", 0), ("\u{FEFF}1", 0), ("NaN", 0),
        ("1e999", 0),
    ])
    func errorsNameTheirByte(_ text: String, _ offset: Int) {
        guard case .malformed(_, offset) = error(text) else {
            Issue.record("\(text): \(String(describing: error(text)))")
            return
        }
    }

    @Test func refusesBadUTF8() {
        for bytes: [UInt8] in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xF4, 0x90, 0x80, 0x80]] {
            #expect(throws: JSONError.self) { try JSON(parsing: [0x22] + bytes + [0x22]) }
            #expect(throws: JSONError.self) { try JSON(parsing: [0x22, 0x5C, 0x6E] + bytes + [0x22]) }
        }
    }

    @Test func limitsDepth() throws {
        let limit = Limits.JSON.depthMax
        let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(throws: Never.self) { try JSON(parsing: nested(limit)) }
        #expect(error(nested(limit + 1)) == .depthBeyondLimit(limit: limit, byteOffset: limit))
        #expect(
            error(String(repeating: "{\"a\":[", count: 100_000)) == .depthBeyondLimit(limit: limit, byteOffset: 384))
    }

    @Test func readsMembers() throws {
        let json = try JSON(parsing: #"{"a": 1, "b": 1.0, "c": "x", "d": [true], "e": 1.5, "f": null}"#)
        #expect(json["a"]?.integer == 1 && json["b"]?.integer == 1 && json["e"]?.integer == nil)
        #expect(json["a"]?.double == 1 && json["c"]?.string == "x" && json["d"]?.array == [true])
        #expect(json["f"]?.isNull == true && json["g"] == nil && json["a"]?["x"] == nil)
        #expect(json["d"]?.array?.first?.bool == true && json["c"]?.kindName == "string")
        #expect(json.setting("a", to: 2)["a"] == 2)
        #expect(json.setting("g", to: 2)["g"] == 2)
        #expect(JSON.null.setting("g", to: 2) == .null)
    }

    @Test func serialises() throws {
        let json: JSON = ["a": [1, 2.5, nil, true], "b": [:], "c": [], "d": "\"\\\n\u{1}é"]
        let compact = #"{"a":[1,2.5,null,true],"b":{},"c":[],"d":"\"\\\n\u0001é"}"#
        #expect(json.serialised() == compact)
        #expect(try JSON(parsing: json.serialised(.indented)) == json)
        #expect(JSON.double(.infinity).serialised() == "null")
        #expect(try JSON(parsing: JSON.double(0.1).serialised()) == .double(0.1))
    }
}

struct JSONFuzzTests {
    /// A small generator with a seed, so that a failing case can be run again.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static let parts: [[UInt8]] = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "\"a\"", "\"a\":", "1", "-", ".", "e", "0", "true",
        "null",
        " ", "\n", "é", "12345678901234567890", "\\\"",
    ].map { Array($0.utf8) }

    private func randomBytes(_ generator: inout Generator) -> [UInt8] {
        (0..<Int.random(in: 0..<30, using: &generator)).flatMap { _ -> [UInt8] in
            if Int.random(in: 0..<10, using: &generator) == 0 { return [UInt8.random(in: 0...255, using: &generator)] }
            return Self.parts.randomElement(using: &generator) ?? []
        }
    }

    /// Any bytes: a value that survives being written and read, or a typed error within the document.
    @Test func anyBytesEnd() throws {
        var generator = Generator(state: 11)
        for _ in 0..<20_000 {
            let bytes = randomBytes(&generator)
            do {
                let json = try JSON(parsing: bytes)
                #expect(try JSON(parsing: json.serialised()) == json)
            } catch .malformed(_, let offset) {
                #expect((0...bytes.count).contains(offset))
            } catch .depthBeyondLimit(_, let offset) {
                #expect((0..<bytes.count).contains(offset))
            } catch .documentBeyondLimit {
                Issue.record("a document of \(bytes.count) bytes is beyond the limit")
            }
        }
    }

    private func randomValue(_ generator: inout Generator, depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .integer(Int64.random(in: .min ... .max, using: &generator))
        case 3:
            let value = Double(bitPattern: UInt64.random(in: 0 ... .max, using: &generator))
            return value.isFinite && value.rounded() != value ? .double(value) : .double(0.5)
        case 4:
            let scalars = (0..<Int.random(in: 0..<8, using: &generator)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0..<0x11_0000, using: &generator))
            }
            return .string(scalars.map { String($0) }.joined())
        case 5:
            let count = Int.random(in: 0..<5, using: &generator)
            return .array((0..<count).map { _ in randomValue(&generator, depth: depth - 1) })
        default:
            var object: JSON = [:]
            for index in 0..<Int.random(in: 0..<5, using: &generator) {
                object = object.setting("k\(index)", to: randomValue(&generator, depth: depth - 1))
            }
            return object
        }
    }

    @Test func valuesSurviveTheRoundTrip() throws {
        var generator = Generator(state: 12)
        for _ in 0..<2_000 {
            let json = randomValue(&generator, depth: 4)
            #expect(try JSON(parsing: json.serialised()) == json)
            #expect(try JSON(parsing: json.serialised(.indented)) == json)
        }
    }
}
