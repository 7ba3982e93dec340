extension Limits {
    /// Limits of the headers of GGUF files. A length is held against its limit, and against what is left of the file,
    /// before anything is set aside for it.
    public enum GGUF {
        /// Most bytes before the tensors: a vocabulary of 260,000 tokens with its merges is about 15 MB.
        public static let headerBytesMax = 256 << 20
        /// How much of a file is read at first, in bytes; four times as much whenever that was not enough.
        public static let headerReadBytes = 1 << 20
        /// Most keys with values.
        public static let keyValuesMax = 1 << 16
        /// Longest key, in bytes, as the format has it.
        public static let keyBytesMax = (1 << 16) - 1
        /// Longest string, in bytes: a whole tokenizer.json can be one.
        public static let stringBytesMax = 64 << 20
        /// Most elements of all arrays together.
        public static let arrayElementsMax = 1 << 23
        /// Deepest nesting of arrays.
        public static let arrayDepthMax = 4
        /// Most tensors of one file.
        public static let tensorsMax = 1 << 18
        /// Longest name of a tensor, in bytes; writers hold to 64.
        public static let tensorNameBytesMax = 255
        /// Most dimensions of a tensor, as the format has it.
        public static let dimensionsMax = 4
        /// Longest `general.name` that serves as the model's name, in bytes.
        public static let modelNameBytesMax = 255
    }
}
