import Basics

private let formats: [ToolCallFormat] = [
    .argumentPairs, .deepSeek, .functions, .invocations(tag: ""), .invocations(tag: "｜DSML｜"), .json, .kimi, .list,
]

/// Answers to begin with; the first byte is the choice, and with it the format.
let seeds: [String: [UInt8]] = [
    "argument-pairs": seed(0, "a<tool_call>f<arg_key>b</arg_key><arg_value>1</arg_value></tool_call>"),
    "deep-seek": seed(
        1, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"),
    "functions": seed(2, "<tool_call><function=f><parameter=b>1</parameter></function></tool_call>"),
    "invocations": seed(
        3, "<minimax:tool_call><invoke name=\"f\"><parameter name=\"b\">1</parameter></invoke></minimax:tool_call>"),
    "json": seed(5, "a <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>\n"),
    "kimi": seed(
        6,
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>"
            + "<|tool_calls_section_end|>"),
    "list": seed(7, "[TOOL_CALLS][{\"name\": \"f\"}]"),
    "markup": seed(
        4,
        "<｜DSML｜tool_calls><｜DSML｜invoke name=\"f\"><｜DSML｜parameter name=\"b\" string=\"false\">1"
            + "</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜tool_calls>"),
]

private func seed(_ format: UInt8, _ text: String) -> [UInt8] { [format] + Array(text.utf8) }

private let schemas = ToolSchemas([
    ["function": ["name": "f", "parameters": ["properties": ["b": ["type": ["string", "integer"]]]]]]
])

/// The bytes are an answer, cut into pieces as `choice` says. Nothing may trap; the pieces must say what the whole
/// says, and an answer without calls is its own text.
func fuzz(choice: UInt8, bytes: [UInt8]) {
    let answer = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    let format = formats[Int(choice) % formats.count]
    let whole = split(answer, format, pieceScalarCount: max(1, answer.count))
    let cut = split(answer, format, pieceScalarCount: 1 + Int(choice) / formats.count % 8)
    insist(whole.text == cut.text && whole.calls == cut.calls, "the pieces say \(cut), the whole says \(whole)")
    if whole.calls.isEmpty { insist(whole.text == text(answer[...]), "the text became \(whole.text)") }
}

private func split(
    _ answer: [Unicode.Scalar], _ format: ToolCallFormat, pieceScalarCount: Int
) -> (text: String, calls: [ToolCall]) {
    var splitter = ToolCallSplitter(ToolCallParser(format: format, schemas: schemas))
    var pieces: [ToolCallSplitter.Piece] = []
    for start in stride(from: 0, to: answer.count, by: pieceScalarCount) {
        pieces += splitter.append(text(answer[start..<min(answer.count, start + pieceScalarCount)]))
    }
    var found: (text: String, calls: [ToolCall]) = ("", [])
    for piece in pieces + splitter.finish() {
        switch piece {
        case .calls(let calls): found.calls += calls
        case .text(let text): found.text += text
        }
    }
    return found
}

private func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    scalars.reduce(into: "") { $0.unicodeScalars.append($1) }
}
