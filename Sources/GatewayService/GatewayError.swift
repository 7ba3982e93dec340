/// Why a gateway cannot start.
public enum GatewayError: Error, CustomStringConvertible {
    /// The address cannot be listened on.
    case cannotListen(host: String, port: UInt16, reason: String)
    /// The gateway's certificates cannot be used.
    case identityUnusable(directory: String, reason: String)

    /// One line for people.
    public var description: String {
        switch self {
        case .cannotListen(let host, let port, let reason): "cannot listen on \(host):\(port): \(reason)"
        case .identityUnusable(let directory, let reason): "cannot use the certificates in '\(directory)': \(reason)"
        }
    }
}
