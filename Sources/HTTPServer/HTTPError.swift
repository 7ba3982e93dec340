/// Everything that can go wrong in this module: while a server starts, in what a client sends, and in what a server
/// answers to our own client.
public enum HTTPError: Error, Equatable, CustomStringConvertible {
    /// A listener could not be bound.
    case addressUnavailable(address: String, reason: String)
    /// A streamed answer was left untaken by its client beyond the limit.
    case answerBeyondLimit(limitBytes: Int)
    /// The body is larger than the limit.
    case bodyBeyondLimit(limitBytes: Int)
    /// The bodies of all requests under way are larger than the limit together.
    case bodyMemoryExhausted(limitBytes: Int)
    /// The peer closed the connection before the message was complete.
    case connectionClosed(during: String)
    /// The server cannot be reached.
    case connectionFailed(address: String, reason: String)
    /// The client expects something that the server does not do.
    case expectationUnknown(String)
    /// There are more header lines than the limit.
    case headerCountBeyondLimit(limit: Int)
    /// The header lines are larger than the limit.
    case headersBeyondLimit(limitBytes: Int)
    /// A name of a host could not be resolved.
    case hostUnknown(host: String, reason: String)
    /// The caller of our own client no longer wants the answer.
    case interrupted
    /// The bytes are not HTTP.
    case malformed(reason: String)
    /// The method cannot be served at all.
    case methodUnsupported(String)
    /// The request line is longer than the limit.
    case requestLineBeyondLimit(limitBytes: Int)
    /// The certificate or key cannot be used.
    case tlsConfiguration(reason: String)
    /// The handshake or a record of TLS failed.
    case tlsFailed(reason: String)
    /// Something took longer than its time-out.
    case timedOut(during: String, limitMilliseconds: Int)
    /// The body is encoded in a way that is not understood.
    case transferCodingUnknown(String)
    /// The request is of a version that is not spoken here.
    case versionUnsupported(String)

    /// One line for people.
    public var description: String {
        switch self {
        case .addressUnavailable(let address, let reason): "cannot listen on \(address): \(reason)"
        case .answerBeyondLimit(let limit): "the client left more than \(limit) bytes of its answer untaken"
        case .bodyBeyondLimit(let limit): "the body is larger than \(limit) bytes"
        case .bodyMemoryExhausted(let limit): "the bodies under way are larger than \(limit) bytes together"
        case .connectionClosed(let during): "the connection was closed during \(during)"
        case .connectionFailed(let address, let reason): "cannot connect to \(address): \(reason)"
        case .expectationUnknown(let text): "the expectation '\(text)' is unknown"
        case .headerCountBeyondLimit(let limit): "there are more than \(limit) header lines"
        case .headersBeyondLimit(let limit): "the headers are larger than \(limit) bytes"
        case .hostUnknown(let host, let reason): "cannot resolve '\(host)': \(reason)"
        case .interrupted: "interrupted"
        case .malformed(let reason): "malformed message: \(reason)"
        case .methodUnsupported(let method): "the method \(method) is not supported"
        case .requestLineBeyondLimit(let limit): "the request line is longer than \(limit) bytes"
        case .tlsConfiguration(let reason): "cannot set up TLS: \(reason)"
        case .tlsFailed(let reason): "TLS failed: \(reason)"
        case .timedOut(let during, let limit): "\(during) took longer than \(limit) ms"
        case .transferCodingUnknown(let coding): "the transfer coding '\(coding)' is unknown"
        case .versionUnsupported(let version): "the version '\(version)' is not supported"
        }
    }

    /// The status with which a server answers a request that failed like this.
    public var status: Int {
        switch self {
        case .bodyBeyondLimit: 413
        case .bodyMemoryExhausted: 503
        case .expectationUnknown: 417
        case .headerCountBeyondLimit, .headersBeyondLimit: 431
        case .connectionClosed, .malformed: 400
        case .methodUnsupported, .transferCodingUnknown: 501
        case .requestLineBeyondLimit: 414
        case .timedOut: 408
        case .versionUnsupported: 505
        case .addressUnavailable, .answerBeyondLimit, .connectionFailed, .hostUnknown, .interrupted, .tlsConfiguration,
            .tlsFailed:
            500
        }
    }
}
