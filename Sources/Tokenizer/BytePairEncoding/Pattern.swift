import Basics
import CPCRE2

/// A compiled regular expression (PCRE2, UTF-8, Unicode properties).
///
/// `@unchecked Sendable`: the compiled code is only written by `init` and `deinit`, and PCRE2 allows any number of
/// threads to match with it; every search has match data of its own.
///
/// **Hostile text.** Steps and memory of a match are limited (`Limits.Tokenizer`). When a match fails for that reason,
/// the rest of the text counts as unmatched: the outcome stays a function of the text, in bounded time, and no other
/// request notices. The patterns of published tokenizers never come near the limits.
final class Pattern: @unchecked Sendable {
    private let code: OpaquePointer
    private let context: OpaquePointer?

    /// Compiles a pattern as tokenizer files write it (Oniguruma's syntax, see `PatternTranslation`).
    init(_ pattern: String) throws(TokenizerError) {
        guard pattern.utf8.count <= Limits.Tokenizer.patternBytesMax else {
            throw .limitExceeded(
                what: "bytes of a regular expression", count: pattern.utf8.count,
                limit: Limits.Tokenizer.patternBytesMax)
        }
        let translated = Array(try PatternTranslation.translate(pattern).utf8)
        let compileContext = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(compileContext) }
        if let compileContext {
            _ = pcre2_set_parens_nest_limit_8(compileContext, UInt32(Limits.Tokenizer.patternNestingMax))
        }
        var errorCode: Int32 = 0
        var errorOffset = 0
        let options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C
        guard
            let code = pcre2_compile_8(
                translated, translated.count, UInt32(options), &errorCode, &errorOffset, compileContext)
        else {
            throw .patternInvalid(pattern: pattern, reason: Self.message(errorCode), offset: errorOffset)
        }
        self.code = code
        // Without JIT (not every processor has it) the interpreter finds the same matches, only slower.
        _ = pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
        context = pcre2_match_context_create_8(nil)
        if let context {
            _ = pcre2_set_match_limit_8(context, Limits.Tokenizer.patternStepsMax)
            _ = pcre2_set_heap_limit_8(context, Limits.Tokenizer.patternHeapKibibytesMax)
        }
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_code_free_8(code)
    }

    /// Reports every match in order; they do not overlap. `text` must be valid UTF-8. Look-around sees nothing
    /// outside of `text`.
    func forEachMatch(in text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
        guard let base = text.baseAddress, let data = pcre2_match_data_create_8(1, nil) else { return }
        defer { pcre2_match_data_free_8(data) }
        guard let vector = pcre2_get_ovector_pointer_8(data) else { return }
        var start = 0
        var mayBeEmpty = true
        while start <= text.count {
            let options = PCRE2_NO_UTF_CHECK | (mayBeEmpty ? 0 : PCRE2_NOTEMPTY_ATSTART)
            guard match(base, text.count, start, UInt32(options), data) else { return }
            let range = vector[0]..<max(vector[0], vector[1])
            body(range)
            // An empty match is never reported twice in one place.
            mayBeEmpty = !range.isEmpty
            start = range.upperBound
        }
    }

    /// The text with every match replaced by `content`.
    func replacing(in text: [UInt8], with content: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var end = 0
        text.withUnsafeBufferPointer { buffer in
            forEachMatch(in: buffer) { range in
                result += buffer[end..<range.lowerBound]
                result += content
                end = range.upperBound
            }
            result += buffer[end...]
        }
        return result
    }

    private func match(
        _ base: UnsafePointer<UInt8>, _ count: Int, _ start: Int, _ options: UInt32, _ data: OpaquePointer
    ) -> Bool {
        var result = pcre2_match_8(code, base, count, start, options, data, context)
        if result == PCRE2_ERROR_JIT_STACKLIMIT {
            result = pcre2_match_8(code, base, count, start, options | UInt32(PCRE2_NO_JIT), data, context)
        }
        return result >= 0
    }

    private static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(Int(count)), as: UTF8.self) : "error \(code)"
    }
}
