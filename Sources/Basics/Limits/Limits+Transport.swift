extension Limits {
    /// Limits of links between processes and of the certificates that they show.
    public enum Transport {
        /// Largest certificate or key file, in bytes.
        public static let certificateFileBytesMax = 1 << 20
        /// Most host names and addresses in one certificate.
        public static let certificateHostsMax = 64
        /// Connections of one listener whose handshake is not complete; more are turned away.
        public static let pendingHandshakesMax = 64
        /// Links of one listener; more are turned away.
        public static let linksMax = 1024
        /// Requests of one link that wait for an answer; more are refused to the caller.
        public static let pendingRequestsMax = 65536
    }
}
