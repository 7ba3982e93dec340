extension Limits {
    /// Defaults and fixed bounds of the HTTP server and client; `HTTPLimits` makes those that a deployment may change
    /// settable.
    public enum HTTP {
        /// Longest request line of HTTP/1, and longest `:path` of HTTP/2, in bytes; beyond it: 414.
        public static let requestLineBytesMax = 8 << 10
        /// All header lines of a request together, in bytes (names, values, four bytes each); beyond it: 431.
        public static let headerBytesMax = 32 << 10
        /// Header lines of a request; beyond it: 431.
        public static let headerCountMax = 100
        /// Body of one request, in bytes; beyond it: 413.
        public static let bodyBytesMax = 32 << 20
        /// Bodies of all requests that are being received by one listener, in bytes; beyond it: 503.
        public static let bodyBytesInFlightMax = 256 << 20
        /// Open connections of one listener; further ones are closed at once.
        public static let connectionsMax = 8192
        /// Requests in flight on one HTTP/2 connection.
        public static let streamsPerConnectionMax = 2048
        /// Bytes of a streamed answer that its client has not taken; beyond it the stream is cut.
        public static let streamBufferBytesMax = 4 << 20
        /// From the first byte of a request (or from accepting the connection) to the end of its headers.
        public static let headerTimeoutMilliseconds = 10_000
        /// From the end of the headers to the end of the body.
        public static let bodyTimeoutMilliseconds = 60_000
        /// How long a connection without a request stays open.
        public static let idleTimeoutMilliseconds = 75_000
        /// How long a client may take nothing of an answer that is waiting for it.
        public static let writeStallTimeoutMilliseconds = 30_000
        /// How long `stop` lets answers finish that are under way.
        public static let stopGraceMilliseconds = 1_000

        /// Encoded bytes that a connection holds beside the streams' own buffers; pulling stops above it.
        public static let outboxBytesMax = 256 << 10
        /// Bytes of one request's body that an HTTP/2 client may send ahead.
        public static let streamWindowBytes = 256 << 10
        /// Bytes of all bodies that an HTTP/2 client may send ahead on its connection.
        public static let connectionWindowBytes = 1 << 20
        /// Bytes of later requests that are kept while one is being answered (HTTP/1 pipelining).
        public static let pipelinedBytesMax = 64 << 10
        /// Bytes read from a socket at once.
        public static let readBytesMax = 64 << 10
        /// Longest line that opens a chunk, extensions included, in bytes.
        public static let chunkLineBytesMax = 256
        /// Longest method name, in bytes.
        public static let methodBytesMax = 32
        /// Empty lines that are skipped before a request line (RFC 9112 §2.2).
        public static let leadingEmptyLinesMax = 4
        /// How long, after an error answer, what the client still sends is read and thrown away, so that the answer is
        /// not lost to a reset.
        public static let lingerMilliseconds = 1_000
        /// How often deadlines are looked at.
        public static let timerIntervalMilliseconds = 100
        /// Largest whole answer that the client accepts, in bytes.
        public static let clientBodyBytesMax = 256 << 20
    }
}
