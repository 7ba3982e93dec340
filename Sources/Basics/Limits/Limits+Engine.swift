extension Limits {
    /// Limits of the engine that are not settings.
    public enum Engine {
        /// Most of the likeliest tokens that a request may ask to see per position.
        public static let logprobsMax = 20
    }
}
