import Basics
import Glibc
import Testing
import Transport
import Wire

/// One end of a TCP connection that does what it likes: the other side's worst acquaintance.
final class RawPeer {
    private let descriptor: Int32
    private var session: TLSSession?

    /// Connects to a port of the loopback.
    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let outcome = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(outcome == 0)
        setTimeout()
    }

    /// Takes over an accepted connection.
    init(owning descriptor: Int32) {
        self.descriptor = descriptor
        setTimeout()
    }

    deinit { _ = close(descriptor) }

    private func setTimeout() {
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    /// TLS as the client or server that the node directory makes it.
    func startTLS(directory: String, side: TLSContext.Side = .client) throws {
        let context =
            switch side {
            case .client:
                try TLSContext(
                    clientAuthorityPath: directory + "/ca.pem",
                    certificate: (directory + "/node.pem", directory + "/node.key"), versionMin: .tls13)
            case .server:
                try TLSContext(
                    serverCertificatePath: directory + "/node.pem", keyPath: directory + "/node.key",
                    clientAuthorityPath: directory + "/ca.pem", versionMin: .tls13)
            }
        let session = try TLSSession(context)
        while true {
            let isComplete = try session.advanceHandshake()
            send(session.drain())
            if isComplete { break }
            let bytes = receive()
            try #require(!bytes.isEmpty)
            try bytes.withUnsafeBytes { try session.feed($0) }
        }
        self.session = session
    }

    /// Sends bytes as they are; whether the other side took them.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }

    /// Receives what is there; empty when the connection has ended.
    func receive() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(count, 0)))
    }

    /// Sends bytes through TLS.
    func sendPlaintext(_ bytes: [UInt8]) throws {
        let session = try #require(session)
        try bytes.withUnsafeBytes { try session.write($0) }
        send(session.drain())
    }

    /// Sends a frame, which need not make sense.
    func sendFrame(_ header: [UInt8], _ payload: [UInt8] = []) throws { try sendPlaintext(header + payload) }

    /// Receives so many bytes through TLS; fewer if the connection ends.
    func receivePlaintext(_ count: Int) throws -> [UInt8] {
        let session = try #require(session)
        var all: [UInt8] = []
        while all.count < count {
            var buffer = [UInt8](repeating: 0, count: count - all.count)
            switch try buffer.withUnsafeMutableBytes({ try session.read(into: $0) }) {
            case .bytes(let count): all += buffer[..<count]
            case .closed: return all
            case .needsCiphertext:
                let bytes = receive()
                guard !bytes.isEmpty else { return all }
                try bytes.withUnsafeBytes { try session.feed($0) }
            }
        }
        return all
    }

    /// Receives a frame; nil if the connection has ended.
    func receiveFrame() throws -> (header: FrameHeader, payload: [UInt8])? {
        let bytes = try receivePlaintext(FrameHeader.byteCount)
        guard bytes.count == FrameHeader.byteCount else { return nil }
        let header = try bytes.withUnsafeBytes { try FrameHeader(decoding: $0) }
        return (header, try receivePlaintext(header.payloadByteCount))
    }

    /// Receives a frame that must be a refusal.
    func receiveRefusal() throws -> (header: FrameHeader, refusal: Refusal)? {
        guard let frame = try receiveFrame() else { return nil }
        try #require(frame.header.kind == .refusal)
        return (frame.header, try Refusal(payload: frame.payload))
    }

    /// Whether the other side ends the connection.
    func isClosed() -> Bool {
        while true {
            let bytes = receive()
            if bytes.isEmpty { return errno != EAGAIN }
        }
    }

    /// Opens a link as the side that dials.
    func open(directory: String, as hello: Hello) throws {
        try startTLS(directory: directory)
        let payload = try hello.payload()
        try sendFrame(Self.header(kind: .hello, byteCount: payload.count), payload)
        let answer = try #require(try receiveFrame())
        try #require(answer.header.kind == .welcome)
    }

    static func header(kind: MessageKind, byteCount: Int, requestID: UInt64 = 0) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        bytes.withUnsafeMutableBytes {
            FrameHeader(kind: kind, payloadByteCount: byteCount, requestID: requestID).encode(into: $0)
        }
        return bytes
    }
}

/// Listens on the loopback and hands out connections as raw peers.
final class RawServer {
    private let descriptor: Int32
    let port: UInt16

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let outcome = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(outcome)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { _ = close(descriptor) }

    func accept() throws -> RawPeer {
        let connection = Glibc.accept(descriptor, nil, nil)
        try #require(connection >= 0)
        return RawPeer(owning: connection)
    }
}
