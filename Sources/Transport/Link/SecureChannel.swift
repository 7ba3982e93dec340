import Synchronization

/// A TLS connection over a socket, for one thread that receives and any number that send.
///
/// Two locks, so that neither direction waits for the other's system calls:
/// - `sending` is held for a whole frame: records of two frames never mix, and they leave in the order of encryption;
/// - `cipher` is held only while OpenSSL works, which must happen on one thread at a time.
///
/// Ciphertext goes out and comes in by chunks of 64 KiB: encryption of the next chunk overlaps with what the kernel and
/// the other side do with the last, and one receive feeds many records.
///
/// `@unchecked Sendable`: `session` is guarded by `cipher`, the outgoing buffer by `sending`, and the incoming one
/// belongs to the thread that receives.
final class SecureChannel: @unchecked Sendable {
    let socket: Socket
    private let session: TLSSession
    let options: LinkOptions
    private let cipher = Mutex(())
    private let sending = Mutex(())
    /// Guarded by `sending`.
    private var isDisposed = false
    private let outgoing: UnsafeMutableRawBufferPointer
    private let incoming: UnsafeMutableRawBufferPointer
    /// Plaintext that is encrypted, and ciphertext that is received, at a time.
    private static let chunkByteCount = 64 << 10

    init(socket: Socket, context: TLSContext, options: LinkOptions) throws(TransportError) {
        self.socket = socket
        self.options = options
        session = try TLSSession(context)
        // Four records of a chunk, each 22 bytes longer than its plaintext, and an alert.
        outgoing = .allocate(byteCount: Self.chunkByteCount + 1024, alignment: 64)
        incoming = .allocate(byteCount: Self.chunkByteCount, alignment: 64)
    }

    deinit {
        outgoing.deallocate()
        incoming.deallocate()
    }

    /// What a thread may not pass to a lock's closure otherwise: each call of OpenSSL happens in here.
    private func withSession<Value>(
        _ body: (TLSSession) throws(TransportError) -> Value
    ) throws(TransportError) -> Value {
        cipher._unsafeLock()
        defer { cipher._unsafeUnlock() }
        return try body(session)
    }

    /// Completes the TLS handshake; the other side is who its authority says it is.
    func handshake(_ deadline: Deadline) throws(TransportError) -> (subject: Certificate, cipher: String) {
        do {
            while true {
                let isComplete = try withSession { (session) throws(TransportError) in
                    try session.advanceHandshake()
                }
                try flush()
                if isComplete { break }
                try receiveCiphertext(deadline)
            }
        } catch {
            // The alert tells the other side what was wrong.
            try? flush()
            throw error.during(handshakeWith: socket.remoteAddress)
        }
        let peer = try withSession { (session) throws(TransportError) in
            (session.withPeerCertificate { Certificate($0) }, session.cipherDescription)
        }
        guard let subject = peer.0 else {
            throw .handshakeFailed(address: socket.remoteAddress, reason: "it shows no certificate")
        }
        return (subject, peer.1)
    }

    /// Encrypts and sends; frames of several threads follow each other whole.
    func send(_ plaintext: UnsafeRawBufferPointer) throws(TransportError) {
        sending._unsafeLock()
        defer { sending._unsafeUnlock() }
        guard !isDisposed else { throw .linkClosed(reason: "it has ended") }
        var offset = 0
        while offset < plaintext.count {
            let end = min(offset + Self.chunkByteCount, plaintext.count)
            let chunk = UnsafeRawBufferPointer(rebasing: plaintext[offset..<end])
            let count = try withSession { (session) throws(TransportError) in
                try session.write(chunk)
                return session.drain(into: outgoing)
            }
            try sendOutgoing(count)
            offset = end
        }
    }

    /// Sends ciphertext that waits: answers of the handshake, alerts.
    private func flush() throws(TransportError) {
        sending._unsafeLock()
        defer { sending._unsafeUnlock() }
        try sendOutgoing(0)
    }

    private func sendOutgoing(_ firstCount: Int) throws(TransportError) {
        var count = firstCount
        while true {
            if count == 0 {
                count = try withSession { (session) throws(TransportError) in session.drain(into: outgoing) }
            }
            guard count > 0 else { return }
            try socket.send(
                UnsafeRawBufferPointer(rebasing: outgoing[..<count]),
                stallMilliseconds: options.sendTimeoutMilliseconds)
            // Full buffers may have left something behind; others have not, and the next look is spared.
            guard count == outgoing.count else { return }
            count = 0
        }
    }

    /// Takes plaintext that is there; 0: none until ciphertext was received. Only one thread at a time, like all below.
    func readSome(into destination: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int {
        let result = try withSession { (session) throws(TransportError) in try session.read(into: destination) }
        switch result {
        case .bytes(let count): return count
        case .needsCiphertext: return 0
        case .closed: throw .peerClosed(address: socket.remoteAddress)
        }
    }

    /// Receives ciphertext; blocks until some has come.
    ///
    /// - Parameter deadline: nil: as long as it takes.
    func receiveCiphertext(_ deadline: Deadline? = nil) throws(TransportError) {
        if let deadline, !socket.waitUntilReadable(deadline) {
            throw .timedOut(what: "data from \(socket.remoteAddress)", milliseconds: deadline.milliseconds)
        }
        _ = try feed(socket.receive(into: incoming, blocks: true))
    }

    /// Receives ciphertext that is there; false: there is none.
    func receiveCiphertextIfAvailable() throws(TransportError) -> Bool {
        try feed(socket.receive(into: incoming, blocks: false))
    }

    private func feed(_ received: Socket.Received) throws(TransportError) -> Bool {
        switch received {
        case .bytes(let count):
            let ciphertext = UnsafeRawBufferPointer(rebasing: incoming[..<count])
            try withSession { (session) throws(TransportError) in try session.feed(ciphertext) }
            return true
        case .closed: throw .peerClosed(address: socket.remoteAddress)
        case .failed(let errorNumber):
            throw .systemCall(name: "receive from \(socket.remoteAddress)", errorNumber: errorNumber)
        case .nothingYet: return false
        }
    }

    /// Gives the socket back: nothing is sent or received any more. Only the receiving thread, as its last act.
    func dispose() {
        socket.shutdown()
        sending._unsafeLock()
        defer { sending._unsafeUnlock() }
        isDisposed = true
        socket.close()
    }

    /// Says goodbye, waits a moment until the other side has read it, and ends. Without the wait the system would throw
    /// away what was sent last, such as the reason for closing, if the other side is still sending. Only the receiving
    /// thread.
    func closeGracefully(_ deadline: Deadline) {
        try? withSession { (session) throws(TransportError) in session.shutdown() }
        try? flush()
        socket.shutdownSending()
        var discardedByteCount = 0
        while discardedByteCount < Self.chunkByteCount * 1024, socket.waitUntilReadable(deadline),
            case .bytes(let count) = socket.receive(into: incoming, blocks: false)
        {
            discardedByteCount += count
        }
        socket.shutdown()
    }
}

extension TransportError {
    /// The same, told as what it means for a handshake.
    func during(handshakeWith address: String) -> TransportError {
        switch self {
        case .tls(_, let reason): .handshakeFailed(address: address, reason: reason)
        case .peerClosed: .handshakeFailed(address: address, reason: "it closed the connection")
        case .timedOut(_, let milliseconds):
            .handshakeFailed(address: address, reason: "not complete within \(milliseconds) ms")
        default: self
        }
    }
}
