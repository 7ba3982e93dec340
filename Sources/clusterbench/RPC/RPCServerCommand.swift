import ArgumentParser
import Basics
import Foundation
import Kernels
import Logging
import Transport
import Wire

/// The other end of `clusterbench rpc`: sends back what it gets, in every mode, until its standard input ends.
struct RPCServerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc-server", abstract: "The other end of rpc; started by it.", shouldDisplay: false)

    @Option(name: .long) var directory: String
    @Option(name: .long) var busyPoll: Int
    @Option(name: .long) var pin: Int?

    func run() throws {
        if let pin { Processors.bindThread(to: [ProcessorID(pin)]) }
        let identity = try NodeIdentity.load(directory: directory)
        let ports = RPCPorts(
            plain: try serve { echo(PlainSocket(owning: $0)) },
            plainBusy: try serve { [busyPoll] in
                echo(PlainSocket(owning: $0, busyPollMicroseconds: busyPoll))
            },
            tls: try serve { [directory] in
                guard
                    let tls = try? BlockingTLS(
                        socket: PlainSocket(owning: $0), directory: directory, isServer: true)
                else { return }
                echoFrames(receive: tls.receive, send: tls.send)
            },
            link: try listen(identity, busyPollMicroseconds: 0).port,
            linkBusy: try listen(identity, busyPollMicroseconds: busyPoll).port)
        FileHandle.standardOutput.write(try JSONEncoder().encode(ports) + Data("\n".utf8))
        // Ends with the process that started this one, however that ends.
        while let data = try FileHandle.standardInput.read(upToCount: 1), !data.isEmpty {}
    }

    private func listen(_ identity: NodeIdentity, busyPollMicroseconds: Int) throws -> LinkListener {
        let welcome = Welcome(node: identity.node, role: identity.role, version: 1, modelDigest: nil)
        return try LinkListener(
            endpoint: Endpoint(host: "127.0.0.1", port: 0), identity: identity,
            options: LinkOptions(busyPollMicroseconds: busyPollMicroseconds), logger: Logger(label: "rpc-server")
        ) { _, _, _ in (welcome, SilentHandler()) }
    }
}

/// Where the modes are served.
struct RPCPorts: Codable {
    let plain: UInt16
    let plainBusy: UInt16
    let tls: UInt16
    let link: UInt16
    let linkBusy: UInt16
}

/// Has nothing to say: echoes are the link's own business.
struct SilentHandler: LinkHandler {
    func link(_ link: Link, didReceive frame: ReceivedFrame) {}
    func linkDidClose(_ link: Link, reason: TransportError) {}
}

/// Accepts connections, each on a thread of its own.
private func serve(_ body: @escaping @Sendable (Int32) -> Void) throws -> UInt16 {
    let (descriptor, port) = try PlainSocket.listen()
    Thread.detachNewThread {
        while true {
            let connection = accept(descriptor, nil, nil)
            guard connection >= 0 else { return }
            Thread.detachNewThread { body(connection) }
        }
    }
    return port
}

private func echo(_ socket: PlainSocket) {
    echoFrames(receive: socket.receive, send: socket.send)
}

/// Four bytes of length, then as many bytes; both go back.
private func echoFrames(
    receive: (UnsafeMutableRawBufferPointer) -> Bool, send: (UnsafeRawBufferPointer) -> Bool
) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 + Limits.Wire.echoPayloadBytesMax, alignment: 64)
    defer { buffer.deallocate() }
    while receive(UnsafeMutableRawBufferPointer(rebasing: buffer[..<4])) {
        let count = Int(buffer.loadUnaligned(as: UInt32.self))
        guard count <= Limits.Wire.echoPayloadBytesMax,
            receive(UnsafeMutableRawBufferPointer(rebasing: buffer[4..<4 + count])),
            send(UnsafeRawBufferPointer(rebasing: buffer[..<(4 + count)]))
        else { return }
    }
}
