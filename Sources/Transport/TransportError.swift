public import Wire
public import Basics

/// Everything that can go wrong between two processes, and with the certificates that they show each other.
public enum TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The address to listen on is taken.
    case addressInUse(address: String)
    /// A host name or an address to listen on cannot be used.
    case addressUnusable(address: String, reason: String)
    /// A certificate, a key or a file of them cannot be used.
    case certificateUnusable(path: String, reason: String)
    /// Nobody answers at the address.
    case connectFailed(address: String, reason: String)
    /// `host:port` cannot be read.
    case endpointMalformed(text: String, reason: String)
    /// A file exists already and is not overwritten.
    case fileExists(path: String)
    /// A file cannot be read.
    case fileUnreadable(path: String, reason: String)
    /// A file or directory cannot be written.
    case fileUnwritable(path: String, reason: String)
    /// The TLS handshake or the exchange of `Hello` and `Welcome` failed.
    case handshakeFailed(address: String, reason: String)
    /// The link was closed by this side.
    case linkClosed(reason: String)
    /// A node name, host or role cannot be written into a certificate.
    case nameUnusable(name: String, reason: String)
    /// A payload is larger than its kind allows; it was not sent.
    case payloadBeyondLimit(kind: MessageKind, byteCount: Int, limit: Int)
    /// A payload that arrived does not decode.
    case payloadMalformed(kind: MessageKind, reason: String)
    /// The other side closed the connection.
    case peerClosed(address: String)
    /// The other side's frames cannot be understood any more; the link is closed.
    case protocolViolated(address: String, reason: String)
    /// The other side refused a frame or a request, and why.
    case refused(Refusal)
    /// The other side does not take what is sent to it.
    case sendStalled(address: String, milliseconds: Int)
    /// A call of the operating system failed.
    case systemCall(name: String, errorNumber: Int32)
    /// No answer came in time.
    case timedOut(what: String, milliseconds: Int)
    /// OpenSSL refuses.
    case tls(operation: String, reason: String)
    /// So many requests of one link are open that no more are taken.
    case tooManyRequests(limit: Int)
    /// The answer is of a kind that does not answer the request.
    case unexpectedReply(kind: MessageKind)
    /// The other side speaks too old a version of the protocol for what it is needed for.
    case versionTooOld(node: NodeID, version: UInt16, needed: UInt16, purpose: String)
    /// The certificate names another node than the one that was dialled, or than the other side says it is.
    case wrongNode(expected: NodeID, found: NodeID)
    /// The certificate names another role than the one that was expected, or than the other side says it has.
    case wrongRole(expected: Role, found: Role)

    /// One line for people.
    public var description: String {
        switch self {
        case .addressInUse(let address): "address \(address) is already in use"
        case .addressUnusable(let address, let reason): "cannot use address \(address): \(reason)"
        case .certificateUnusable(let path, let reason): "cannot use \(path): \(reason)"
        case .connectFailed(let address, let reason): "cannot connect to \(address): \(reason)"
        case .endpointMalformed(let text, let reason): "'\(text)' is not host:port: \(reason)"
        case .fileExists(let path): "\(path) exists already"
        case .fileUnreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .fileUnwritable(let path, let reason): "cannot write \(path): \(reason)"
        case .handshakeFailed(let address, let reason): "handshake with \(address) failed: \(reason)"
        case .linkClosed(let reason): "link closed: \(reason)"
        case .nameUnusable(let name, let reason): "cannot use the name '\(name)': \(reason)"
        case .payloadBeyondLimit(let kind, let byteCount, let limit):
            "payload of \(kind) has \(byteCount) bytes, the limit is \(limit)"
        case .payloadMalformed(let kind, let reason): "payload of \(kind) is malformed: \(reason)"
        case .peerClosed(let address): "\(address) closed the connection"
        case .protocolViolated(let address, let reason): "\(address) violated the protocol: \(reason)"
        case .refused(let refusal): "refused: \(refusal)"
        case .sendStalled(let address, let milliseconds): "\(address) took nothing for \(milliseconds) ms"
        case .systemCall(let name, let errorNumber): "\(name): \(SystemError.text(of: errorNumber))"
        case .timedOut(let what, let milliseconds): "no \(what) within \(milliseconds) ms"
        case .tls(let operation, let reason): "TLS \(operation): \(reason)"
        case .tooManyRequests(let limit): "\(limit) requests are open on this link, which is the limit"
        case .unexpectedReply(let kind): "unexpected answer of kind \(kind)"
        case .versionTooOld(let node, let version, let needed, let purpose):
            "\(node) speaks version \(version) of the protocol, \(purpose) need version \(needed)"
        case .wrongNode(let expected, let found): "certificate is for node \(found), expected \(expected)"
        case .wrongRole(let expected, let found):
            "certificate is for role \(found.rawValue), expected \(expected.rawValue)"
        }
    }
}
