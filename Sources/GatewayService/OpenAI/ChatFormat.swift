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
                var message: OrderedDictionary<String, JSON> = ["role": "assistant", "content": .string(piece.text)]
                if !piece.reasoning.isEmpty { message["reasoning_content"] = .string(piece.reasoning) }
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
        return .object(chunk([choice("delta", .object(delta), piece: piece, index: index)]))
    }

    package func usageEvent(_ usage: Usage) -> JSON {
        var members = chunk([])
        members["usage"] = usage.json
        return .object(members)
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
