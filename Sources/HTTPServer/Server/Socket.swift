import Glibc

/// A socket; closed when nobody holds it any more.
final class Socket: Sendable {
    let descriptor: Int32

    init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A listening, non-blocking socket on the first address of `host` that can be bound.
    static func listening(host: String, port: UInt16) throws(HTTPError) -> Socket {
        var reason = "no address"
        let addresses = try Resolver.addresses(host: host, port: port, isPassive: true)
        for address in addresses {
            let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue | Flags.nonBlocking), 0)
            guard descriptor >= 0 else {
                reason = SystemError.text(errno)
                continue
            }
            let candidate = Socket(owning: descriptor)
            candidate.setOption(SOL_SOCKET, SO_REUSEADDR, 1)
            let isBound = address.withPointer { bind(descriptor, $0, $1) } == 0
            if isBound, listen(descriptor, SOMAXCONN) == 0 { return candidate }
            reason = SystemError.text(errno)
        }
        throw .addressUnavailable(address: "\(host):\(port)", reason: reason)
    }

    /// Takes the next waiting client; nil if there is none, or none can be taken (`errno` says which).
    func accept() -> (socket: Socket, address: String)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let client = withUnsafeMutableBytes(of: &storage) { bytes in
            Glibc.accept(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard client >= 0 else { return nil }
        let accepted = Socket(owning: client)
        _ = fcntl(client, F_SETFL, O_NONBLOCK)
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        accepted.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        return (accepted, withUnsafeBytes(of: &storage) { Resolver.numericHost($0, length: length) })
    }

    /// The port that the socket is bound to.
    var port: UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            guard let address = bytes.baseAddress,
                getsockname(descriptor, address.assumingMemoryBound(to: sockaddr.self), &length) == 0
            else { return 0 }
            // IPv4 and IPv6 keep the port at the same place, in network order.
            return UInt16(bigEndian: address.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }

    func setOption(_ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The types of Linux's socket flags do not agree with those of its calls.
    enum Flags {
        static let nonBlocking = SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        static let closeOnExec = SOCK_CLOEXEC.rawValue
    }
}

/// Names and numeric addresses of hosts.
enum Resolver {
    /// One address that a name stands for.
    struct Address {
        let family: Int32
        let bytes: [UInt8]

        func withPointer<Result>(_ body: (UnsafePointer<sockaddr>?, socklen_t) -> Result) -> Result {
            bytes.withUnsafeBytes {
                body($0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
            }
        }
    }

    static func addresses(host: String, port: UInt16, isPassive: Bool) throws(HTTPError) -> [Address] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (isPassive ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            throw .hostUnknown(host: host, reason: String(cString: gai_strerror(code)))
        }
        defer { freeaddrinfo(list) }
        var found: [Address] = []
        var next = list
        while let entry = next {
            let bytes = UnsafeRawBufferPointer(start: entry.pointee.ai_addr, count: Int(entry.pointee.ai_addrlen))
            found.append(Address(family: entry.pointee.ai_family, bytes: Array(bytes)))
            next = entry.pointee.ai_next
        }
        return found
    }

    static func numericHost(_ address: UnsafeRawBufferPointer, length: socklen_t) -> String {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = getnameinfo(
            address.baseAddress?.assumingMemoryBound(to: sockaddr.self), length, &text, socklen_t(text.count), nil, 0,
            NI_NUMERICHOST)
        guard code == 0 else { return "unknown" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The system's errors in words.
enum SystemError {
    static func text(_ code: Int32) -> String {
        var text = [CChar](repeating: 0, count: 256)
        guard strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
