import Basics
import Glibc

/// How long a client waits for its socket, and what ends its waiting early.
struct ClientPatience {
    /// Longest wait for one event, in milliseconds.
    var timeoutMilliseconds: Int
    /// A descriptor that becomes readable when the caller no longer wants to wait; nil if nothing does that.
    var interruptDescriptor: Int32?

    var isInterrupted: Bool {
        guard let interruptDescriptor else { return false }
        var request = pollfd(fd: interruptDescriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) > 0
    }
}

/// Blocking use of a socket, with a time-out for each wait.
extension Socket {
    /// A connection to the first address of `host` that answers.
    static func connected(host: String, port: UInt16, patience: ClientPatience) throws(HTTPError) -> Socket {
        var reason = "no address"
        for address in try Resolver.addresses(host: host, port: port, isPassive: false) {
            let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue | Flags.nonBlocking), 0)
            guard descriptor >= 0 else {
                reason = SystemError.text(errno)
                continue
            }
            let candidate = Socket(owning: descriptor)
            candidate.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            if address.withPointer({ connect(descriptor, $0, $1) }) == 0 { return candidate }
            guard errno == EINPROGRESS else {
                reason = SystemError.text(errno)
                continue
            }
            guard try candidate.wait(for: POLLOUT, patience) else {
                reason = "no answer within \(patience.timeoutMilliseconds) ms"
                continue
            }
            let code = candidate.pendingError()
            if code == 0 { return candidate }
            reason = SystemError.text(code)
        }
        throw .connectionFailed(address: "\(host):\(port)", reason: reason)
    }

    /// Sends everything.
    func sendAll(_ bytes: [UInt8], patience: ClientPatience) throws(HTTPError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                offset += count
            } else if errno == EAGAIN {
                guard try wait(for: POLLOUT, patience) else {
                    throw .timedOut(during: "sending a request", limitMilliseconds: patience.timeoutMilliseconds)
                }
            } else if errno != EINTR {
                // The server may have answered before it closed: the answer says more than this failure.
                return
            }
        }
    }

    /// Waits for bytes and hands them to `body`; 0 at the end of the connection.
    func receive(
        patience: ClientPatience, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(HTTPError) -> Int {
        while true {
            // Answers may come so fast that there is never anything to wait for.
            if patience.isInterrupted { throw .interrupted }
            let count = withUnsafeTemporaryAllocation(byteCount: Limits.HTTP.readBytesMax, alignment: 16) { buffer in
                let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                if count > 0 { body(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                return count
            }
            if count >= 0 { return count }
            if errno == EAGAIN {
                guard try wait(for: POLLIN, patience) else {
                    throw .timedOut(during: "waiting for an answer", limitMilliseconds: patience.timeoutMilliseconds)
                }
            } else if errno != EINTR {
                return 0
            }
        }
    }

    /// Whether there are bytes to read, or the other side has ended.
    var hasInput: Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) > 0
    }

    /// Waits until the socket is ready; false if that takes too long.
    private func wait(for event: Int32, _ patience: ClientPatience) throws(HTTPError) -> Bool {
        // poll skips entries with a negative descriptor.
        var requests = [
            pollfd(fd: descriptor, events: Int16(event), revents: 0),
            pollfd(fd: patience.interruptDescriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        let deadline = MonotonicClock.nowMilliseconds() + patience.timeoutMilliseconds
        while true {
            let left = max(0, deadline - MonotonicClock.nowMilliseconds())
            let count = poll(&requests, nfds_t(requests.count), Int32(clamping: left))
            if count < 0, errno == EINTR { continue }
            if requests[1].revents != 0 { throw .interrupted }
            return count > 0
        }
    }

    private func pendingError() -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code
    }
}
