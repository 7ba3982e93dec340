extension Limits {
    /// Limits of placements.
    public enum Placement {
        /// What a node's budget counts at most, in bytes: one pebibyte.
        public static let nodeBudgetBytesMax: UInt64 = 1 << 50
        /// Most nodes that host shards.
        public static let nodesMax = 1024
        /// Most shards of one model; 100 layers of 1,000 experts are 100,000.
        public static let shardsMax = 1 << 20
    }
}
