extension Limits {
    /// Limits of what `config.json` may ask for; generous beyond every published model, so that a damaged file is
    /// refused before its numbers are multiplied.
    public enum Models {
        /// Widest hidden size, feed-forward width or head.
        public static let widthMax = 1 << 20
        /// Most layers.
        public static let layersMax = 4096
        /// Most layers that predict further tokens.
        public static let predictionLayersMax = 64
        /// Most query heads.
        public static let headsMax = 4096
        /// Widest head of a recurrent layer, whose state is as large as the product of two of them.
        public static let recurrentHeadMax = 4096
        /// Most inputs that a convolution joins.
        public static let convolutionTapsMax = 64
        /// Most experts of a layer.
        public static let expertsMax = 65_536
        /// Most shared experts of a layer; they are stored as one that is so many times as wide.
        public static let sharedExpertsMax = 256
        /// Largest vocabulary.
        public static let vocabularyMax = 1 << 24
        /// Longest context, in tokens.
        public static let contextTokensMax = 1 << 24
        /// Most positions that a token chooses to look at; they are kept for each row of a step.
        public static let chosenPositionsMax = 1 << 16
        /// Positions of one block of the key-value cache.
        public static let keyValueBlockPositions = 64
        /// Longest window of which a layer keeps nothing but the window, in tokens: that memory is taken whole when a
        /// sequence starts.
        public static let keptWindowTokensMax = 1024
        /// Most positions of a block of a cache whose keys stand for several positions each.
        public static let entryBlockPositionsMax = 1 << 16
        /// Rows whose logits are computed together: bounds the memory for scoring long prompts.
        public static let logitRowsMax = 16
        /// Rows of the embedding that are read where they lie before their pages are given back: each makes the system
        /// map some hundred kilobytes around it.
        public static let embeddedRowsMax = 256
    }
}
