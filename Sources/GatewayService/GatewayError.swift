/// Why a gateway cannot start.
public enum GatewayError: Error, CustomStringConvertible {
    /// An address of the configuration is not `host:port`.
    case addressUnreadable(key: String, reason: String)
    /// The address cannot be listened on.
    case cannotListen(reason: String)
    /// The gateway's certificates cannot be used.
    case identityUnusable(directory: String, reason: String)

    /// One line for people.
    public var description: String {
        switch self {
        case .addressUnreadable(let key, let reason): "\(key): \(reason)"
        case .cannotListen(let reason): reason
        case .identityUnusable(let directory, let reason): "cannot use the certificates in '\(directory)': \(reason)"
        }
    }
}
