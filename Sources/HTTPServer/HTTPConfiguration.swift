import Basics

/// What a server holds its clients to.
public struct HTTPLimits: Sendable {
    /// Longest request line or `:path`, in bytes.
    public var requestLineBytesMax = Limits.HTTP.requestLineBytesMax
    /// All header lines of a request together, in bytes.
    public var headerBytesMax = Limits.HTTP.headerBytesMax
    /// Header lines of a request.
    public var headerCountMax = Limits.HTTP.headerCountMax
    /// Body of one request, in bytes. Held in memory, so too big lets clients fill it.
    public var bodyBytesMax = Limits.HTTP.bodyBytesMax
    /// Bodies of all requests being received, in bytes.
    public var bodyBytesInFlightMax = Limits.HTTP.bodyBytesInFlightMax
    /// Open connections.
    public var connectionsMax = Limits.HTTP.connectionsMax
    /// Requests in flight on one HTTP/2 connection.
    public var streamsPerConnectionMax = Limits.HTTP.streamsPerConnectionMax
    /// Bytes of a streamed answer that its client has not taken, before the stream is cut.
    public var streamBufferBytesMax = Limits.HTTP.streamBufferBytesMax
    /// From the first byte of a request to the end of its headers, in milliseconds.
    public var headerTimeoutMilliseconds = Limits.HTTP.headerTimeoutMilliseconds
    /// From the end of the headers to the end of the body, in milliseconds.
    public var bodyTimeoutMilliseconds = Limits.HTTP.bodyTimeoutMilliseconds
    /// How long a connection without a request stays open, in milliseconds.
    public var idleTimeoutMilliseconds = Limits.HTTP.idleTimeoutMilliseconds
    /// How long a client may take nothing of an answer that waits for it, in milliseconds.
    public var writeStallTimeoutMilliseconds = Limits.HTTP.writeStallTimeoutMilliseconds

    /// The defaults.
    public init() {}
}

/// Where and how a server listens.
public struct HTTPConfiguration: Sendable {
    /// The files of a server's identity.
    public struct TLSFiles: Sendable {
        /// The certificate chain, PEM.
        public var certificatePath: String
        /// The private key, PEM.
        public var keyPath: String

        /// Names both files.
        public init(certificatePath: String, keyPath: String) {
            self.certificatePath = certificatePath
            self.keyPath = keyPath
        }
    }

    /// A name or numeric address of this machine; `0.0.0.0` or `::` for all.
    public var host: String
    /// The port; 0 lets the system choose one.
    public var port: UInt16
    /// Certificate and key; nil serves cleartext.
    public var tls: TLSFiles?
    /// What clients are held to.
    public var limits: HTTPLimits
    /// Queues (threads) that serve connections; each connection belongs to one of them.
    public var queueCount: Int

    /// A server on `host`, cleartext unless `tls` is given.
    public init(
        host: String, port: UInt16, tls: TLSFiles? = nil, limits: HTTPLimits = HTTPLimits(), queueCount: Int = 2
    ) {
        self.host = host
        self.port = port
        self.tls = tls
        self.limits = limits
        self.queueCount = max(1, queueCount)
    }
}
