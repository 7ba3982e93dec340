extension Limits {
    /// Limits of links between processes and of the certificates that they show.
    public enum Transport {
        /// Largest certificate or key file, in bytes.
        public static let certificateFileBytesMax = 1 << 20
        /// Most host names and addresses in one certificate.
        public static let certificateHostsMax = 64
        /// Connections of one listener whose handshake is not complete; more are turned away.
        public static let pendingHandshakesMax = 64
        /// After a link was ended for a fault of the other side, so long is waited for it to read why, in milliseconds.
        public static let lingerMilliseconds = 500
        /// Links of one listener; more are turned away.
        public static let linksMax = 1024
        /// Memory of frames that is kept for the next ones, in bytes.
        public static let recycledBytesMax = 256 << 20
        /// Requests of one link that wait for an answer; more are refused to the caller.
        public static let pendingRequestsMax = 65536
    }
}
