extension Limits {
    /// Limits of what computes.
    public enum Kernels {
        /// Most threads of one compute pool.
        public static let threadCountMax = 1024
        /// Processors of a machine are numbered below this.
        public static let processorsMax = 8192
        /// Most that is read of a file in which the kernel describes the machine, in bytes.
        public static let systemFileBytesMax = 64 << 10
        /// Control groups around a process that are looked at for a limit on its processors.
        public static let controlGroupDepthMax = 64
        /// Most rows of a packed matrix; the largest vocabularies have 262,144.
        public static let matrixRowsMax = 1 << 24
        /// Most columns of a packed matrix.
        public static let matrixColumnsMax = 1 << 24
        /// Most columns of a matrix of codes in groups, and of one such group.
        public static let groupedColumnsMax = 1 << 20
        /// Memory for weights is taken from the system in pieces of this size, in bytes; a larger matrix has its own.
        public static let weightPieceBytes = 64 << 20
        /// Most groups that a router's experts are divided into; the kernel has room for so many.
        public static let routerGroupsMax = 256
        /// Longest time that idle compute threads spin before they sleep, in microseconds.
        public static let spinMicrosecondsMax = 1_000_000
    }
}

extension Limits {
    /// Limits of `clusterbench kernels` and `clusterbench model`.
    public enum KernelBenchmark {
        /// Most rows of a matrix.
        public static let rowsMax = 1 << 20
        /// Most columns of a matrix.
        public static let columnsMax = 1 << 16
        /// Most tokens of one multiplication, or of one prompt.
        public static let tokensMax = 65536
        /// Longest text of which all predictions are kept, in tokens.
        public static let textTokensMax = 4096
        /// Rows of a step in which texts are read whose further tokens are predicted.
        public static let predictionStepRows = 64
        /// Longest context over which attention is timed, in tokens.
        public static let contextTokensMax = 1 << 20
        /// Most memory for the matrices of one format, in MiB.
        public static let mebibytesMax = 65536
        /// Most measurements of one figure.
        public static let roundsMax = 1000
        /// Most sequences together.
        public static let sequencesMax = 1024
    }
}
