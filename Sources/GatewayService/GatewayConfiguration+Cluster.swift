public import Configuration
import HTTPServer
public import Logging
import Transport
import Wire

extension GatewayConfiguration {
    /// The gateway's part of a cluster's configuration; throws if its address cannot be read.
    public init(_ configuration: ClusterConfiguration) throws(GatewayError) {
        let gateway = configuration.gateway
        let endpoint = try GatewayConfiguration.endpoint(gateway.address, key: "gateway.address")
        var limits = HTTPLimits()
        limits.headerBytesMax = gateway.headerBytesMax
        limits.bodyBytesMax = gateway.bodyBytesMax
        limits.connectionsMax = gateway.connectionsMax
        limits.streamsPerConnectionMax = gateway.streamsPerConnectionMax
        limits.headerTimeoutMilliseconds = gateway.headerTimeoutMilliseconds
        limits.bodyTimeoutMilliseconds = gateway.bodyTimeoutMilliseconds
        limits.idleTimeoutMilliseconds = gateway.idleTimeoutMilliseconds
        limits.writeStallTimeoutMilliseconds = gateway.writeStallTimeoutMilliseconds
        var tls: HTTPConfiguration.TLSFiles?
        if let certificate = gateway.tlsCertificate, let key = gateway.tlsKey {
            tls = HTTPConfiguration.TLSFiles(certificatePath: certificate, keyPath: key)
        }
        self.init(
            node: gateway.node,
            http: HTTPConfiguration(
                host: endpoint.host, port: endpoint.port, tls: tls, limits: limits, queueCount: gateway.queueCount),
            requestTimeoutMilliseconds: gateway.requestTimeoutMilliseconds)
    }

    static func endpoint(_ text: String, key: String) throws(GatewayError) -> Endpoint {
        do {
            return try Endpoint(parsing: text)
        } catch {
            throw .addressUnreadable(key: key, reason: error.description)
        }
    }
}

extension Gateway {
    /// The gateway of a cluster, with its certificate checked; it serves, and dials the coordinator, from `start()`
    /// on.
    public convenience init(
        _ configuration: ClusterConfiguration, identity: NodeIdentity, logger: Logger
    ) throws(GatewayError) {
        let own = try GatewayConfiguration(configuration)
        let coordinator = try GatewayConfiguration.endpoint(
            configuration.coordinator.address, key: "coordinator.address")
        guard identity.role == .gateway, identity.node == own.node else {
            throw .identityUnusable(
                directory: configuration.certificates,
                reason: "it names \(identity.role.rawValue) '\(identity.node)', not gateway '\(own.node)'")
        }
        self.init(
            configuration: own,
            backend: CoordinatorBackend(endpoint: coordinator, identity: identity, logger: logger), logger: logger)
    }
}
