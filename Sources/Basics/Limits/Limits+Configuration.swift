extension Limits {
    /// Limits of configuration files. The range of each value stands in the table of options.
    public enum Configuration {
        /// Largest configuration file, in bytes.
        public static let fileBytesMax = 1 << 20
        /// Longest name of a node, in bytes: a certificate's common name holds no more.
        public static let nodeNameBytesMax = 64
        /// Most workers of a cluster.
        public static let workersMax = 1024
    }
}
