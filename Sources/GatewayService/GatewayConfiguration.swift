public import Basics
public import HTTPServer

/// How a gateway serves.
public struct GatewayConfiguration: Sendable {
    /// The gateway's name in the cluster, as in its certificate.
    public var node: NodeID
    /// Where and how it listens for clients.
    public var http: HTTPConfiguration
    /// How long one answer may take altogether, in milliseconds; 0 for no limit.
    public var requestTimeoutMilliseconds: Int

    /// Describes a gateway.
    public init(node: NodeID, http: HTTPConfiguration, requestTimeoutMilliseconds: Int = 0) {
        self.node = node
        self.requestTimeoutMilliseconds = requestTimeoutMilliseconds
        self.http = http
    }
}
