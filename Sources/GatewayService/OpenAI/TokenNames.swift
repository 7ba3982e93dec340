package import Basics
package import Tokenizer
import Wire

/// How logprobs name tokens.
package struct TokenNames: Sendable {
    let tokenizer: BPETokenizer
    /// `token_id:123` instead of the text.
    let namesByID: Bool

    package init(tokenizer: BPETokenizer, namesByID: Bool) {
        self.tokenizer = tokenizer
        self.namesByID = namesByID
    }

    /// The name of a token: its text; if its bytes are no whole characters, `bytes:` and the bytes as `\x` escapes, as
    /// OpenAI writes them, so that different tokens keep different names.
    package func name(of token: TokenID) -> String {
        if namesByID { return "token_id:\(token)" }
        guard let bytes = bytes(of: token) else { return "token_id:\(token)" }
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return "bytes:"
            + bytes.map { byte in
                let digits = String(byte, radix: 16)
                return "\\x" + (digits.count == 1 ? "0" : "") + digits
            }.joined()
    }

    /// The bytes that a token stands for; nil if the vocabulary has no such token (padding rows of the embedding).
    func bytes(of token: TokenID) -> [UInt8]? {
        tokenizer.bytes(of: token) ?? tokenizer.name(of: token).map { Array($0.utf8) }
    }
}

extension JSON {
    /// A number printed with as few digits as identify it as a `Float`, not with the noise of its widening to `Double`.
    init(shortest value: Float) {
        self = .double(Double(value.description) ?? Double(value))
    }

    /// A logprob; `null` where there is none.
    init(logprob value: Float?) {
        self = value.map { JSON(shortest: $0) } ?? .null
    }

    /// Per token an array per layer with a router, of the experts' numbers.
    init(routedExperts tokens: [RoutedExperts]) {
        self = .array(
            tokens.map { token in
                .array(token.layers.map { layer in .array(layer.map { .integer(Int64($0.value)) }) })
            })
    }

    /// Token ids as an array of numbers.
    init(tokenIDs tokens: some Sequence<TokenID>) {
        self = .array(tokens.map { .integer(Int64($0.value)) })
    }
}
