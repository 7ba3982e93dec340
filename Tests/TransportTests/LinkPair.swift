import Basics
import Foundation
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
            listener.loopback, identity: try cluster.identity("coordinator", .coordinator), linkClass: linkClass,
            expectedRole: .worker, expectedNode: NodeID("worker-1"), options: options, handler: coordinator)
    }

    func stop() {
        link.close(.linkClosed(reason: "test is over"))
        listener.stop()
        #expect(link.waitUntilClosed(timeoutMilliseconds: Self.patience))
    }

    /// A frame whose payload has few repetitions.
    static func pattern(_ count: Int) -> FrameBuffer {
        let buffer = FrameBuffer(payloadByteCount: count)
        buffer.withPayload { payload in
            let words = payload.bindMemory(to: UInt32.self)
            for index in words.indices { words[index] = UInt32(truncatingIfNeeded: index &* 2_654_435_761) }
            for index in words.count * 4..<count { payload[index] = UInt8(truncatingIfNeeded: index) }
        }
        return buffer
    }
}

extension LinkListener {
    var loopback: Endpoint { Endpoint(host: "127.0.0.1", port: port) }
}

extension UnsafeMutableRawBufferPointer {
    func elementsEqual(_ other: UnsafeRawBufferPointer, count: Int) -> Bool {
        guard self.count == count, other.count == count else { return false }
        guard let base = baseAddress, let otherBase = other.baseAddress, count > 0 else { return true }
        return memcmp(base, otherBase, count) == 0
    }
}

extension TestCluster {
    /// A listener on the loopback with a new identity.
    func listen(
        _ name: String, _ role: Role, options: LinkOptions = LinkOptions(), validity: CertificateValidity = .days(1),
        handler: any LinkHandler = SilentHandler()
    ) throws -> LinkListener {
        let welcome = Welcome(node: NodeID(name), role: role, version: 1, modelDigest: nil, instructionSet: "generic")
        return try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: 0),
            identity: try identity(name, role, validity: validity), options: options, logger: .quiet
        ) { _, _, _ in (welcome, handler) }
    }
}

extension Logger {
    /// Says nothing.
    static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
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

/// Tells when a link opens.
struct OpeningHandler: LinkHandler {
    let onOpen: @Sendable (Link) -> Void

    init(_ onOpen: @escaping @Sendable (Link) -> Void) { self.onOpen = onOpen }

    func linkDidOpen(_ link: Link) { onOpen(link) }
    func link(_ link: Link, didReceive frame: ReceivedFrame) {}
    func linkDidClose(_ link: Link, reason: TransportError) {}
}

/// Waits for the end of a link and keeps its reason.
final class ClosingHandler: LinkHandler {
    private let reasons = Mutex<[TransportError]>([])
    private let closed = DispatchSemaphore(value: 0)

    func link(_ link: Link, didReceive frame: ReceivedFrame) {}

    func linkDidClose(_ link: Link, reason: TransportError) {
        reasons.withLock { $0.append(reason) }
        closed.signal()
    }

    /// The reason; nil if the link does not close.
    func wait() -> TransportError? {
        guard closed.wait(timeout: .now() + 20) == .success else { return nil }
        closed.signal()
        return reasons.withLock { $0.count == 1 ? $0[0] : nil }
    }
}

/// Threads of a test's own: what blocks must not sit on the pool that the tests run on.
enum TestThreads {
    /// Runs a body on several threads and returns when all are done.
    static func run(count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        let done = DispatchSemaphore(value: 0)
        for index in 0..<count {
            Thread.detachNewThread {
                body(index)
                done.signal()
            }
        }
        for _ in 0..<count { done.wait() }
    }
}
