/// Every limit of Colony, by area, each with its unit in its name. An area adds its own file `Limits+<Area>.swift`
/// beside this one, so that "what is the limit, and where is it checked?" has one place to look.
public enum Limits {
    /// Limits of JSON documents, wherever they come from.
    public enum JSON {
        /// Deepest nesting of arrays and objects.
        public static let depthMax = 128
        /// Largest document that is parsed, in bytes; tokenizers of 250,000 tokens are about 20 MB.
        public static let documentBytesMax = 128 << 20
    }
}
