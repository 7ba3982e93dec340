extension Limits {
    /// Limits of the engine that are not settings.
    public enum Engine {
        /// Most of the likeliest tokens that a request may ask to see per position.
        public static let logprobsMax = 20
        /// Smallest cache, in bytes, that is worth starting with.
        public static let keyValueCacheBytesMin = 1 << 20
    }
}
