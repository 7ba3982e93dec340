import Basics
import Glibc

/// Blocking use of a socket, with a time-out for each wait.
extension Socket {
    /// A connection to the first address of `host` that answers.
    static func connected(host: String, port: UInt16, timeoutMilliseconds: Int) throws(HTTPError) -> Socket {
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
            guard candidate.wait(for: POLLOUT, timeoutMilliseconds: timeoutMilliseconds) else {
                reason = "no answer within \(timeoutMilliseconds) ms"
                continue
            }
            let code = candidate.pendingError()
            if code == 0 { return candidate }
            reason = SystemError.text(code)
        }
        throw .connectionFailed(address: "\(host):\(port)", reason: reason)
    }

    /// Sends everything.
    func sendAll(_ bytes: [UInt8], timeoutMilliseconds: Int) throws(HTTPError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                offset += count
            } else if errno == EAGAIN {
                guard wait(for: POLLOUT, timeoutMilliseconds: timeoutMilliseconds) else {
                    throw .timedOut(during: "sending a request", limitMilliseconds: timeoutMilliseconds)
                }
            } else if errno != EINTR {
                // The server may have answered before it closed: the answer says more than this failure.
                return
            }
        }
    }

    /// Waits for bytes and hands them to `body`; 0 at the end of the connection.
    func receive(
        timeoutMilliseconds: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(HTTPError) -> Int {
        while true {
            let count = withUnsafeTemporaryAllocation(byteCount: Limits.HTTP.readBytesMax, alignment: 16) { buffer in
                let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                if count > 0 { body(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                return count
            }
            if count >= 0 { return count }
            if errno == EAGAIN {
                guard wait(for: POLLIN, timeoutMilliseconds: timeoutMilliseconds) else {
                    throw .timedOut(during: "waiting for an answer", limitMilliseconds: timeoutMilliseconds)
                }
            } else if errno != EINTR {
                return 0
            }
        }
    }

    /// Whether there are bytes to read, or the other side has ended.
    var hasInput: Bool { wait(for: POLLIN, timeoutMilliseconds: 0) }

    private func wait(for event: Int32, timeoutMilliseconds: Int) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        let deadline = MonotonicClock.nowMilliseconds() + timeoutMilliseconds
        while true {
            let left = max(0, deadline - MonotonicClock.nowMilliseconds())
            let count = poll(&request, 1, Int32(clamping: left))
            if count >= 0 || errno != EINTR { return count > 0 }
        }
    }

    private func pendingError() -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code
    }
}
