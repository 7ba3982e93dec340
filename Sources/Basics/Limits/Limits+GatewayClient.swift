extension Limits {
    /// Limits of those who ask a gateway from the command line.
    public enum GatewayClient {
        /// Most tokens of an answer that can be asked for.
        public static let tokensMax = Int(Int32.max)
        /// How long the gateway may take to say how the cluster is, in milliseconds.
        public static let probeTimeoutMilliseconds = 5000
        /// How often it is asked while the cluster is not ready, in milliseconds.
        public static let probeIntervalMilliseconds = 250
        /// Most lines that a chat remembers from one time to the next.
        public static let historyLinesMax = 1000
    }
}
