extension Limits {
    /// Times and counts by which a coordinator judges its workers. `Membership.Timings` has them as defaults.
    public enum Membership {
        /// A worker that could not load its shards is asked again after so long, in milliseconds; doubles each time.
        public static let assignBackoffMilliseconds = 1000
        /// Longest wait before it is asked again, in milliseconds.
        public static let assignBackoffMillisecondsMax = 30000
        /// Silence after which a worker is given up, in milliseconds.
        public static let deadMilliseconds = 1000
        /// First wait before a worker is dialled again, in milliseconds; doubles each time.
        public static let dialBackoffMilliseconds = 100
        /// Longest wait before a worker is dialled again, in milliseconds.
        public static let dialBackoffMillisecondsMax = 2000
        /// Time between two heartbeats, in milliseconds.
        public static let heartbeatMilliseconds = 200
        /// Heartbeats whose round trips make the median.
        public static let roundTripsKept = 16
        /// Silence after which a worker is suspected, in milliseconds.
        public static let suspectMilliseconds = 500
        /// Between two looks at the clock.
        public static let tickMilliseconds = 50
    }
}
