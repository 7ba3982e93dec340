extension Limits {
    /// Limits of the tokenizer's files and of what one text may cost.
    public enum Tokenizer {
        /// Most added tokens of one tokenizer.
        public static let addedTokensMax = 65_536
        /// Longest added token, in bytes.
        public static let addedTokenBytesMax = 4_096
        /// Longest stretch of text that is merged at once, in bytes. Pre-tokenizers cut text into words, so only
        /// text without any boundary gets there; it is cut at this length.
        public static let pieceBytesMax = 1 << 24
        /// Longest regular expression of a pre-tokenizer or normalizer, in bytes.
        public static let patternBytesMax = 16_384
        /// Deepest nesting of parentheses of a regular expression.
        public static let patternNestingMax = 50
        /// Most memory that one match may take for backtracking, in KiB.
        public static let patternHeapKibibytesMax: UInt32 = 65_536
        /// Most internal steps that one match may take.
        public static let patternStepsMax: UInt32 = 50_000_000
        /// Deepest nesting of `Sequence` components.
        public static let sequenceNestingMax = 8
        /// Largest token id; vocabularies of today end below 300,000.
        public static let tokenIDMax = 16_777_215
    }

    /// Limits of chat templates: what a template may contain, and what rendering it may cost.
    public enum Template {
        /// Deepest nesting of macro calls.
        public static let callDepthMax = 24
        /// Deepest nesting of one expression, and deepest nesting of statements.
        public static let nestingMax = 64
        /// Longest text that a template may render, or hold in one string, in bytes.
        public static let outputBytesMax = 16 << 20
        /// Most elements of a list that a template makes.
        public static let listElementsMax = 1_000_000
        /// Largest template, in bytes; published ones are below 50,000.
        public static let sourceBytesMax = 1 << 20
        /// Most evaluation steps (expressions and statements) of one rendering.
        public static let stepsMax = 4_000_000
    }
}
