import Basics
import Dispatch
import Foundation
import Logging
import Synchronization
import Transport
import Wire

/// A coordinator with real links and nothing behind them: it answers as a test says.
final class FakeCoordinator: LinkHandler {
    typealias Script = @Sendable (Generate, _ reply: (Generated) -> Void) throws(Refusal) -> Void

    private let script: Script
    private let status: Mutex<ClusterStatus>
    private let addresses = Mutex<[String]>([])
    /// Signalled with each `cancel` that arrives.
    let cancelled = DispatchSemaphore(value: 0)
    /// Signalled with each `generate` that arrives.
    let generated = DispatchSemaphore(value: 0)

    init(script: @escaping Script) {
        self.script = script
        let status = ClusterStatus(
            isReady: true, reason: nil, epoch: 1,
            model: ClusterStatus.Model(
                name: "tiny", family: "qwen3_moe", digest: "ab", contextTokensMax: 64, weightBytes: 9),
            nodes: [
                ClusterStatus.Node(name: "coordinator", role: .coordinator, address: "127.0.0.1:1", state: .ready)
            ], work: ClusterStatus.Work())
        self.status = Mutex(status)
    }

    /// Where those that dialled said they serve, in order.
    var listenAddresses: [String] { addresses.withLock { $0 } }

    /// Lists whoever dialled as a coordinator does: after itself, before the workers.
    private func accept(_ hello: Hello) {
        addresses.withLock { $0.append(hello.listenAddress) }
        status.withLock { status in
            status.nodes[1...] = [
                ClusterStatus.Node(
                    name: hello.node.value, role: hello.role, address: hello.listenAddress, state: .ready),
                ClusterStatus.Node(name: "worker-1", role: .worker, address: "127.0.0.1:2", state: .ready),
            ]
        }
    }

    func listen(
        _ certificates: TestCertificates, port: UInt16 = 0, options: LinkOptions = LinkOptions()
    ) throws -> LinkListener {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: port),
            identity: try certificates.identity("coordinator", .coordinator), options: options, logger: logger
        ) { hello, _, _ in
            self.accept(hello)
            return (Welcome(node: NodeID("coordinator"), role: .coordinator, version: 1, modelDigest: nil), self)
        }
    }

    func link(_ link: Link, didReceive frame: ReceivedFrame) {
        do {
            switch frame.kind {
            case .statusRequest: try link.reply(to: frame, status.withLock { $0 })
            case .modelFilesRequest: try link.reply(to: frame, TestModel.files())
            case .cancel: cancelled.signal()
            case .generate:
                generated.signal()
                try answer(link, frame)
            default: link.refuse(frame, Refusal(.unexpectedKind, "\(frame.kind)"))
            }
        } catch {
            link.close(.linkClosed(reason: "\(error)"))
        }
    }

    func linkDidClose(_ link: Link, reason: TransportError) {}

    private func answer(_ link: Link, _ frame: ReceivedFrame) throws(TransportError) {
        let generate = try frame.decode(Generate.self)
        do throws(Refusal) {
            try script(generate) { generated in
                try? link.reply(to: frame, generated, isLast: generated.finish != nil)
            }
        } catch {
            link.refuse(frame, error)
        }
    }
}

/// An authority and certificates in a temporary directory, removed with the object.
final class TestCertificates: Sendable {
    private let directory: String
    private let authority: CertificateAuthority

    init() throws {
        directory = NSTemporaryDirectory() + "colony-gateway-" + UUID().uuidString
        authority = try CertificateAuthority.create(directory: directory + "/authority")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func identity(_ name: String, _ role: Role) throws -> NodeIdentity {
        try authority.issue(
            node: NodeID(name), role: role, hosts: [], validity: .days(1), into: "\(directory)/\(name)",
            overwrites: true)
        return try NodeIdentity.load(directory: "\(directory)/\(name)")
    }
}
