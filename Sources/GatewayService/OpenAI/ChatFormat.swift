package import Basics
import OrderedCollections
import Wire

/// Answers of `/v1/chat/completions`.
package struct ChatFormat: AnswerFormat {
    let head: AnswerHead
    let plan: GenerationPlan
    let names: TokenNames

    package init(head: AnswerHead, plan: GenerationPlan, names: TokenNames) {
        self.head = head
        self.plan = plan
        self.names = names
    }

    package func whole(_ pieces: [ChoicePiece], usage: Usage) -> JSON {
        var members = head.members(object: "chat.completion")
        members["choices"] = .array(
            pieces.enumerated().map { index, piece in
                let saysNothing = piece.text.isEmpty && !piece.toolCalls.isEmpty
                var message: OrderedDictionary<String, JSON> = [
                    "role": "assistant", "content": saysNothing ? .null : .string(piece.text),
                ]
                if !piece.reasoning.isEmpty { message["reasoning_content"] = .string(piece.reasoning) }
                message["tool_calls"] = toolCalls(piece, choice: index, isStreamed: false)
                message["refusal"] = .null
                return choice("message", .object(message), piece: piece, index: index)
            })
        members["usage"] = usage.json
        if plan.options.returnsTokenIDs { members["prompt_token_ids"] = JSON(tokenIDs: plan.prompts[0].tokens) }
        return .object(members)
    }

    package func opening(choice index: Int) -> JSON? {
        let delta: JSON = ["role": "assistant", "content": ""]
        var members = chunk([choice("delta", delta, piece: ChoicePiece(), index: index)])
        if plan.options.returnsTokenIDs { members["prompt_token_ids"] = JSON(tokenIDs: plan.prompts[0].tokens) }
        return .object(members)
    }

    package func event(_ piece: ChoicePiece, choice index: Int, isFirst: Bool) -> JSON {
        var delta: OrderedDictionary<String, JSON> = [:]
        if !piece.reasoning.isEmpty { delta["reasoning_content"] = .string(piece.reasoning) }
        if !piece.text.isEmpty { delta["content"] = .string(piece.text) }
        delta["tool_calls"] = toolCalls(piece, choice: index, isStreamed: true)
        return .object(chunk([choice("delta", .object(delta), piece: piece, index: index)]))
    }

    package func usageEvent(_ usage: Usage) -> JSON {
        var members = chunk([])
        members["usage"] = usage.json
        return .object(members)
    }

    /// The calls of a piece, in a stream with their numbers; nil if there are none. The id of a call is the model's
    /// own, or that of the answer with the numbers of choice and call.
    private func toolCalls(_ piece: ChoicePiece, choice: Int, isStreamed: Bool) -> JSON? {
        if piece.toolCalls.isEmpty { return nil }
        let answer = head.identifier.split(separator: "-").last ?? ""
        return .array(
            zip(piece.firstToolCall..., piece.toolCalls).map { number, call in
                var members: OrderedDictionary<String, JSON> = isStreamed ? ["index": .integer(Int64(number))] : [:]
                members["id"] = .string(call.identifier ?? "call_\(answer)_\(choice)_\(number)")
                members["type"] = "function"
                members["function"] = ["name": .string(call.name), "arguments": .string(call.arguments)]
                return .object(members)
            })
    }

    private func chunk(_ choices: [JSON]) -> OrderedDictionary<String, JSON> {
        var members = head.members(object: "chat.completion.chunk")
        members["choices"] = .array(choices)
        if plan.options.includesUsage { members["usage"] = .null }
        return members
    }

    private func choice(_ key: String, _ content: JSON, piece: ChoicePiece, index: Int) -> JSON {
        var members: OrderedDictionary<String, JSON> = ["index": .integer(Int64(index)), key: content]
        members["logprobs"] = plan.options.logprobCount == nil ? .null : logprobs(piece.tokens)
        members["finish_reason"] = piece.finish.map { .string($0.rawValue) } ?? .null
        if plan.options.returnsTokenIDs { members["token_ids"] = JSON(tokenIDs: piece.tokens.map(\.scored.token)) }
        if plan.options.returnsRoutedExperts { members["routed_experts"] = JSON(routedExperts: piece.routedExperts) }
        return .object(members)
    }

    private func logprobs(_ tokens: [PlacedToken]) -> JSON {
        let content = tokens.map { token in
            var members = entry(token.scored.token, logprob: token.scored.logprob)
            members["top_logprobs"] = .array(
                token.scored.top.map { .object(entry($0.token, logprob: $0.logprob)) })
            return JSON.object(members)
        }
        return ["content": .array(content), "refusal": nil]
    }

    private func entry(_ token: TokenID, logprob: Float?) -> OrderedDictionary<String, JSON> {
        [
            "token": .string(names.name(of: token)),
            "logprob": JSON(logprob: logprob),
            "bytes": names.bytes(of: token).map { .array($0.map { .integer(Int64($0)) }) } ?? .null,
        ]
    }
}
