package import Basics
import OrderedCollections
import Wire

/// Answers of `/v1/completions`.
package struct CompletionFormat: AnswerFormat {
    let head: AnswerHead
    let plan: GenerationPlan
    let names: TokenNames

    package init(head: AnswerHead, plan: GenerationPlan, names: TokenNames) {
        self.head = head
        self.plan = plan
        self.names = names
    }

    package func whole(_ pieces: [ChoicePiece], usage: Usage) -> JSON {
        var members = head.members(object: "text_completion")
        members["choices"] = .array(
            pieces.enumerated().map { index, piece in choice(piece, index: index, isFirst: true) })
        members["usage"] = usage.json
        return .object(members)
    }

    package func opening(choice index: Int) -> JSON? { nil }

    package func event(_ piece: ChoicePiece, choice index: Int, isFirst: Bool) -> JSON {
        var members = head.members(object: "text_completion")
        members["choices"] = [choice(piece, index: index, isFirst: isFirst)]
        if plan.options.includesUsage { members["usage"] = .null }
        return .object(members)
    }

    package func usageEvent(_ usage: Usage) -> JSON {
        var members = head.members(object: "text_completion")
        members["choices"] = []
        members["usage"] = usage.json
        return .object(members)
    }

    private func choice(_ piece: ChoicePiece, index: Int, isFirst: Bool) -> JSON {
        var members: OrderedDictionary<String, JSON> = [
            "index": .integer(Int64(index)),
            "text": .string(piece.text),
            "logprobs": plan.options.logprobCount.map { logprobs(piece, count: $0) } ?? .null,
            "finish_reason": piece.finish.map { .string($0.rawValue) } ?? .null,
        ]
        if plan.options.returnsTokenIDs {
            members["token_ids"] = JSON(tokenIDs: piece.tokens.map(\.scored.token))
            if isFirst { members["prompt_token_ids"] = JSON(tokenIDs: plan.prompt(ofChoice: index).tokens) }
        }
        if plan.options.returnsRoutedExperts { members["routed_experts"] = JSON(routedExperts: piece.routedExperts) }
        return .object(members)
    }

    /// Four lists of equal length, one element per token; with `echo` the prompt's tokens come first.
    private func logprobs(_ piece: ChoicePiece, count: Int) -> JSON {
        let tokens = piece.promptTokens + piece.tokens
        return [
            "tokens": .array(tokens.map { .string(names.name(of: $0.scored.token)) }),
            "token_logprobs": .array(tokens.map { JSON(logprob: $0.scored.logprob) }),
            "top_logprobs": count == 0 ? .null : .array(tokens.map { top($0.scored) }),
            "text_offset": .array(tokens.map { .integer(Int64($0.textOffset)) }),
        ]
    }

    /// The likeliest tokens by name, and the token itself if it is not among them, as OpenAI reports it.
    private func top(_ scored: ScoredToken) -> JSON {
        guard let logprob = scored.logprob else { return .null }
        var members: OrderedDictionary<String, JSON> = [:]
        for candidate in scored.top where members[names.name(of: candidate.token)] == nil {
            members[names.name(of: candidate.token)] = JSON(shortest: candidate.logprob)
        }
        let own = names.name(of: scored.token)
        if members[own] == nil { members[own] = JSON(shortest: logprob) }
        return .object(members)
    }
}
