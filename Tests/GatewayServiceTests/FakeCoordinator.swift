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
    private let status: ClusterStatus
    /// Signalled with each `cancel` that arrives.
    let cancelled = DispatchSemaphore(value: 0)
    /// Signalled with each `generate` that arrives.
    let generated = DispatchSemaphore(value: 0)

    init(script: @escaping Script) {
        self.script = script
        status = ClusterStatus(
            isReady: true, reason: nil, epoch: 1,
            model: ClusterStatus.Model(
                name: "tiny", family: "qwen3_moe", digest: "ab", contextTokensMax: 64, weightBytes: 9),
            nodes: [
                ClusterStatus.Node(name: "coordinator", role: .coordinator, address: "127.0.0.1:1", state: .ready)
            ], work: ClusterStatus.Work())
    }

    func listen(_ certificates: TestCertificates, port: UInt16 = 0) throws -> LinkListener {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: port),
            identity: try certificates.identity("coordinator", .coordinator), logger: logger
        ) { _, _, _ in
            (Welcome(node: NodeID("coordinator"), role: .coordinator, version: 1, modelDigest: nil), self)
        }
    }

    func link(_ link: Link, didReceive frame: ReceivedFrame) {
        do {
            switch frame.kind {
            case .statusRequest: try link.reply(to: frame, status)
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
