import Basics
import Logging
import Synchronization
import Testing
import Transport
import Wire

/// A listening worker and a coordinator that has dialled it.
final class LinkPair: Sendable {
    /// Long enough for a busy machine; no test waits for it to pass.
    static let patience = 20_000

    let cluster: TestCluster
    let listener: LinkListener
    let link: Link
    let welcome: Welcome

    init(
        linkClass: LinkClass = .control, options: LinkOptions = LinkOptions(),
        worker: any LinkHandler = SilentHandler(), coordinator: (any LinkHandler)? = nil
    ) throws {
        cluster = try TestCluster()
        listener = try cluster.listen("worker-1", .worker, options: options, handler: worker)
        (link, welcome) = try Link.dial(
            Endpoint(host: "127.0.0.1", port: listener.port),
            identity: try cluster.identity("coordinator", .coordinator), linkClass: linkClass,
            expectedRole: .worker, expectedNode: NodeID("worker-1"), options: options, handler: coordinator)
    }

    func stop() {
        link.close(.linkClosed(reason: "test is over"))
        listener.stop()
    }
}

extension TestCluster {
    /// A listener on the loopback with a new identity.
    func listen(
        _ name: String, _ role: Role, options: LinkOptions = LinkOptions(), handler: any LinkHandler = SilentHandler()
    ) throws -> LinkListener {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let welcome = Welcome(node: NodeID(name), role: role, version: 1, modelDigest: nil, instructionSet: "generic")
        return try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: 0), identity: try identity(name, role), options: options,
            logger: logger
        ) { _, _, _ in (welcome, handler) }
    }
}

/// Answers nothing.
struct SilentHandler: LinkHandler {
    func link(_ link: Link, didReceive frame: ReceivedFrame) {}
    func linkDidClose(_ link: Link, reason: TransportError) {}
}

/// Answers with what a closure does.
struct ClosureHandler: LinkHandler {
    let onFrame: @Sendable (Link, ReceivedFrame) -> Void

    init(_ onFrame: @escaping @Sendable (Link, ReceivedFrame) -> Void) { self.onFrame = onFrame }

    func link(_ link: Link, didReceive frame: ReceivedFrame) { onFrame(link, frame) }
    func linkDidClose(_ link: Link, reason: TransportError) {}
}
