extension Limits {
    /// Limits of a cluster that `clusterctl up` starts on one machine.
    public enum LocalCluster {
        /// Most workers.
        public static let workersMax = 64
    }
}
