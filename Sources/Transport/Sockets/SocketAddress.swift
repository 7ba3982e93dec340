import Glibc

/// Names and addresses of sockets.
enum SocketAddress {
    /// The addresses that an endpoint's name stands for.
    ///
    /// - Returns: what `body` makes of them; they live as long as the call.
    static func withAddresses<Value>(
        of endpoint: Endpoint, isPassive: Bool,
        _ body: ([UnsafeMutablePointer<addrinfo>]) throws(TransportError) -> Value
    ) throws(TransportError) -> Value {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (isPassive ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let outcome = getaddrinfo(endpoint.host, String(endpoint.port), &hints, &list)
        guard outcome == 0 else {
            throw .addressUnusable(address: endpoint.description, reason: String(cString: gai_strerror(outcome)))
        }
        defer { freeaddrinfo(list) }
        var addresses: [UnsafeMutablePointer<addrinfo>] = []
        var next = list
        while let address = next {
            addresses.append(address)
            next = address.pointee.ai_next
        }
        return try body(addresses)
    }

    /// A new socket of an address's family, closed on exec.
    static func makeSocket(_ address: UnsafeMutablePointer<addrinfo>) throws(TransportError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.pointee.ai_family, kind, 0)
        guard descriptor >= 0 else { throw SystemError.last("socket") }
        return descriptor
    }

    /// The other end of a connected socket, as `address:port`.
    static func text(ofPeer descriptor: Int32) -> String {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            guard let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                getpeername(descriptor, address, &length) == 0
            else { return "?" }
            return text(of: address, length: length)
        }
    }

    /// The port that a socket is bound to.
    static func localPort(_ descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            guard let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                getsockname(descriptor, address, &length) == 0
            else { return 0 }
            // Port in both families: two bytes, the higher first, after the family.
            return UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        }
    }

    private static func text(of address: UnsafePointer<sockaddr>, length: socklen_t) -> String {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let flags = Int32(NI_NUMERICHOST | NI_NUMERICSERV)
        guard
            getnameinfo(address, length, &host, socklen_t(host.count), &port, socklen_t(port.count), flags) == 0
        else { return "?" }
        let name = text(host)
        return name.contains(":") ? "[\(name)]:\(text(port))" : "\(name):\(text(port))"
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
