import Glibc
import Synchronization

/// Owns a connected TCP socket.
///
/// Ending is in two steps, so that a descriptor is never closed while another thread is inside a call on it: `shutdown`
/// may be called by anyone and wakes all that are blocked; `close` is for the owner, when nobody is left inside.
final class Socket: Sendable {
    let descriptor: Int32
    /// Guards against ending a descriptor of the same number that is already someone else's.
    private let isClosed = Mutex(false)
    /// The other end, for people.
    let remoteAddress: String

    /// Takes ownership of a connected socket and sets it up.
    init(owning descriptor: Int32, sendTimeoutMilliseconds: Int) {
        self.descriptor = descriptor
        remoteAddress = SocketAddress.text(ofPeer: descriptor)
        Self.set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        Self.set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        var timeout = timeval(
            tv_sec: sendTimeoutMilliseconds / 1000, tv_usec: sendTimeoutMilliseconds % 1000 * 1000)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close() }

    static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        // Options are wishes: a socket without one works, only slower.
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Ends both directions and wakes everyone who is blocked on the socket.
    func shutdown() {
        isClosed.withLock { isClosed in
            if !isClosed { _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Gives the descriptor back. No other thread may be receiving or sending, or do so later.
    func close() {
        isClosed.withLock { isClosed in
            if !isClosed { _ = Glibc.close(descriptor) }
            isClosed = true
        }
    }

    /// Tells the other side that nothing more comes; it can still be read from.
    func shutdownSending() { _ = Glibc.shutdown(descriptor, Int32(SHUT_WR)) }

    /// What a receive found.
    enum Received {
        case bytes(Int)
        case closed
        case failed(Int32)
        case nothingYet
    }

    /// Receives what is there; blocks for the first byte unless told not to.
    func receive(into buffer: UnsafeMutableRawBufferPointer, blocks: Bool) -> Received {
        let flags = blocks ? 0 : Int32(MSG_DONTWAIT)
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, flags)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .closed }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothingYet
            case ECONNRESET, EPIPE, ENOTCONN: return .closed
            default: return .failed(errno)
            }
        }
    }

    /// Waits until there is something to read; false if the deadline passes first.
    func waitUntilReadable(_ deadline: Deadline) -> Bool {
        while true {
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let left = deadline.remainingMilliseconds
            let count = poll(&request, 1, left)
            if count > 0 { return true }
            if count == 0 || errno != EINTR { return false }
        }
    }

    /// Sends all of `bytes`; a peer that takes nothing for the time that was set is a stalled one.
    func send(_ bytes: UnsafeRawBufferPointer, stallMilliseconds: Int) throws(TransportError) {
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if count > 0 {
                offset += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: throw .sendStalled(address: remoteAddress, milliseconds: stallMilliseconds)
            case ECONNRESET, EPIPE, ENOTCONN: throw .peerClosed(address: remoteAddress)
            case let other: throw .systemCall(name: "send to \(remoteAddress)", errorNumber: other)
            }
        }
    }
}
