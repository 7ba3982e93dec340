extension Limits {
    /// Limits of what computes.
    public enum Kernels {
        /// Most threads of one compute pool.
        public static let threadCountMax = 1024
        /// Most rows of a packed matrix; the largest vocabularies have 262,144.
        public static let matrixRowsMax = 1 << 24
        /// Most columns of a packed matrix.
        public static let matrixColumnsMax = 1 << 24
        /// Longest time that idle compute threads spin before they sleep, in microseconds.
        public static let spinMicrosecondsMax = 1_000_000
    }
}
