import Basics
import GatewayService
import Testing
import Wire

@Suite("Answers")
struct AnswerFormatTests {
    private let head = AnswerHead(identifier: "cmpl-1", createdSeconds: 5, model: "tiny", fingerprint: "colony-ab")

    private func scored(_ token: Int32, _ logprob: Float?, _ top: [(Int32, Float)] = []) -> ScoredToken {
        ScoredToken(
            token: TokenID(token), logprob: logprob,
            top: top.map { TokenLogprob(token: TokenID($0.0), logprob: $0.1) })
    }

    /// The answer to a completion whose only choice comes in the given pieces, and the events of its stream.
    private func completion(_ body: JSON, _ progress: [Generated]) throws -> (whole: JSON, events: [JSON]) {
        let model = try TestModel.context()
        let plan = try GenerationPlan(CompletionRequest(parsing: body), model: model, randomSeed: 1)
        let names = TokenNames(tokenizer: model.tokenizer, namesByID: plan.options.namesTokensByID)
        let format = CompletionFormat(head: head, plan: plan, names: names)
        var assembler = ChoiceAssembler(plan, choice: 0, tokenizer: model.tokenizer)
        let pieces = progress.map { assembler.append($0) }
        var whole = ChoicePiece()
        for piece in pieces { whole.append(piece) }
        let usage = Usage(promptTokens: plan.prompts[0].tokens.count, completionTokens: assembler.tokenCount)
        let events = pieces.enumerated().map { format.event($1, choice: 0, isFirst: $0 == 0) }
        return (format.whole([whole], usage: usage), events)
    }

    @Test("echo with logprobs: the prompt's tokens come first, named by id")
    func reference() throws {
        let body: JSON = [
            "prompt": [72, 105], "max_tokens": 2, "echo": true, "logprobs": 2, "return_token_ids": true,
            "return_tokens_as_token_ids": true, "ignore_eos": true,
        ]
        let answer = try completion(
            body,
            [
                Generated(promptTokens: [scored(72, nil), scored(105, -0.1, [(105, -0.1), (106, -2.5)])]),
                Generated(tokens: [scored(33, -1.1920929e-07, [(33, -1.1920929e-07), (34, -17.25)])]),
                Generated(tokens: [scored(63, -3.5, [(1, -0.25), (2, -1.75)])], finish: .length),
            ])
        let expected =
            #"{"id":"cmpl-1","object":"text_completion","created":5,"model":"tiny","system_fingerprint":"colony-ab","#
            + #""choices":[{"index":0,"text":"Hi!?","logprobs":{"#
            + #""tokens":["token_id:72","token_id:105","token_id:33","token_id:63"],"#
            + #""token_logprobs":[null,-0.1,-1.1920929e-07,-3.5],"#
            + #""top_logprobs":[null,{"token_id:105":-0.1,"token_id:106":-2.5},"#
            + #"{"token_id:33":-1.1920929e-07,"token_id:34":-17.25},"#
            + #"{"token_id:1":-0.25,"token_id:2":-1.75,"token_id:63":-3.5}],"#
            + #""text_offset":[0,1,2,3]},"finish_reason":"length","token_ids":[33,63],"prompt_token_ids":[72,105]}],"#
            + #""usage":{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4}}"#
        #expect(answer.whole.serialised() == expected)
    }

    @Test("the events of a stream add up to the answer")
    func events() throws {
        let answer = try completion(
            ["prompt": "x", "max_tokens": 9, "stream": true, "stream_options": ["include_usage": true]],
            [
                Generated(tokens: [scored(97, nil)]),
                Generated(tokens: [scored(98, nil), scored(256, nil)], finish: .stop),
            ])
        let start =
            #"{"id":"cmpl-1","object":"text_completion","created":5,"model":"tiny","system_fingerprint":"colony-ab","#
        #expect(
            answer.events.map { $0.serialised() } == [
                start + #""choices":[{"index":0,"text":"a","logprobs":null,"finish_reason":null}],"usage":null}"#,
                start + #""choices":[{"index":0,"text":"b","logprobs":null,"finish_reason":"stop"}],"usage":null}"#,
            ])
    }

    @Test("tokens that are no whole characters are named by their bytes; text comes when the character is complete")
    func halfCharacters() throws {
        let answer = try completion(
            ["prompt": "x", "max_tokens": 4, "logprobs": 0, "stream": true],
            [
                Generated(tokens: [scored(0xC3, -1)]), Generated(tokens: [scored(0xA9, -2)]),
                Generated(tokens: [scored(33, -3)], finish: .length),
            ])
        let choices = answer.events.compactMap { $0["choices"]?.array?.first }
        #expect(choices.map { $0["text"] } == ["", "é", "!"])
        #expect(choices[0]["logprobs"]?["tokens"] == [#"bytes:\xc3"#])
        #expect(choices[0]["logprobs"]?["top_logprobs"] == .null)
        #expect(choices.map { $0["logprobs"]?["text_offset"] } == [[0], [0], [1]])
        #expect(answer.whole["choices"]?.array?.first?["text"] == "é!")
    }

    @Test("a chat's answer has a message and logprobs with bytes")
    func chat() throws {
        let model = try TestModel.context()
        let body: JSON = [
            "messages": [["role": "user", "content": "hi"]], "logprobs": true, "top_logprobs": 1,
            "return_token_ids": true,
        ]
        let plan = try GenerationPlan(ChatRequest(parsing: body), model: model, randomSeed: 1)
        #expect(plan.prompts[0].tokens == [257, 104, 105, 256, 258].map { TokenID($0) })
        let format = ChatFormat(
            head: head, plan: plan, names: TokenNames(tokenizer: model.tokenizer, namesByID: false))
        var assembler = ChoiceAssembler(plan, choice: 0, tokenizer: model.tokenizer)
        let piece = assembler.append(
            Generated(tokens: [scored(65, -0.5, [(65, -0.5)]), scored(256, -0.25, [(256, -0.25)])], finish: .stop))
        let usage = Usage(promptTokens: 5, completionTokens: 2)
        let start =
            #"{"id":"cmpl-1","object":"chat.completion","created":5,"model":"tiny","system_fingerprint":"colony-ab","#
        let bytes = Array("<|end|>".utf8).map { String($0) }.joined(separator: ",")
        let logprobs =
            #""logprobs":{"content":[{"token":"A","logprob":-0.5,"bytes":[65],"top_logprobs":[{"token":"A","logprob":-0.5,"bytes":[65]}]},"#
            + #"{"token":"<|end|>","logprob":-0.25,"bytes":[\#(bytes)],"top_logprobs":[{"token":"<|end|>","logprob":-0.25,"bytes":[\#(bytes)]}]}],"refusal":null}"#
        #expect(
            format.whole([piece], usage: usage).serialised()
                == start + #""choices":[{"index":0,"message":{"role":"assistant","content":"A","refusal":null},"#
                + logprobs + #","finish_reason":"stop","token_ids":[65,256]}],"#
                + #""usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7},"prompt_token_ids":[257,104,105,256,258]}"#
        )
    }
}
