import Glibc

/// Makes connections.
enum Connector {
    /// Connects to the first of an endpoint's addresses that answers.
    static func connect(_ endpoint: Endpoint, deadline: Deadline) throws(TransportError) -> Int32 {
        try SocketAddress.withAddresses(of: endpoint, isPassive: false) {
            (addresses) throws(TransportError) -> Int32 in
            var reason = "it has no address"
            for address in addresses {
                let descriptor = try SocketAddress.makeSocket(address)
                switch attempt(descriptor, address, deadline) {
                case .connected: return descriptor
                case .failed(let errorNumber): reason = SystemError.text(of: errorNumber)
                case .timedOut: reason = "no answer within \(deadline.milliseconds) ms"
                }
                _ = Glibc.close(descriptor)
            }
            throw .connectFailed(address: endpoint.description, reason: reason)
        }
    }

    private enum Outcome {
        case connected
        case failed(Int32)
        case timedOut
    }

    /// A blocking connect has no deadline, so this one does not block, and waits.
    private static func attempt(
        _ descriptor: Int32, _ address: UnsafeMutablePointer<addrinfo>, _ deadline: Deadline
    ) -> Outcome {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) >= 0 else { return .failed(errno) }
        if Glibc.connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) != 0 {
            guard errno == EINPROGRESS else { return .failed(errno) }
            guard waitUntilWritable(descriptor, deadline) else { return .timedOut }
            var errorNumber: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &errorNumber, &length) == 0 else {
                return .failed(errno)
            }
            guard errorNumber == 0 else { return .failed(errorNumber) }
        }
        guard fcntl(descriptor, F_SETFL, flags) >= 0 else { return .failed(errno) }
        return .connected
    }

    private static func waitUntilWritable(_ descriptor: Int32, _ deadline: Deadline) -> Bool {
        while true {
            var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let left = deadline.remainingMilliseconds
            let count = poll(&request, 1, left)
            if count > 0 { return true }
            if count == 0 || errno != EINTR { return false }
        }
    }
}
