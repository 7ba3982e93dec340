import CLinux
import Glibc

/// Why a measurement could not be made.
struct MeasurementError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// The system's reason for the call that failed just now.
    static func system(_ call: String) -> MeasurementError {
        MeasurementError("\(call): \(String(cString: strerror(errno)))")
    }
}

/// A TCP socket as plain as can be: what links are compared with.
final class PlainSocket {
    let descriptor: Int32
    /// Look for data for so long before going to sleep.
    private let busyPollNanoseconds: UInt64

    init(owning descriptor: Int32, busyPollMicroseconds: Int = 0) {
        self.descriptor = descriptor
        busyPollNanoseconds = UInt64(busyPollMicroseconds) * 1000
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { _ = close(descriptor) }

    /// Connects to a port of the loopback.
    convenience init(port: UInt16, busyPollMicroseconds: Int = 0) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw MeasurementError.system("socket") }
        let outcome = Self.withLoopback(port: port) { connect(descriptor, $0, $1) }
        guard outcome == 0 else { throw MeasurementError.system("connect") }
        self.init(owning: descriptor, busyPollMicroseconds: busyPollMicroseconds)
    }

    /// Listens on a port of the loopback that the system chooses.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0, withLoopback(port: 0, { bind(descriptor, $0, $1) }) == 0,
            Glibc.listen(descriptor, 8) == 0
        else { throw MeasurementError.system("listen") }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let outcome = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard outcome == 0 else { throw MeasurementError.system("getsockname") }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    private static func withLoopback(
        port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Sends everything; false if the other side is gone.
    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }

    /// Receives exactly so much; false if the other side is gone.
    func receive(into bytes: UnsafeMutableRawBufferPointer) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])
            let count = receiveSome(rest)
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }

    private func receiveSome(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
        if busyPollNanoseconds > 0 {
            let start = colony_monotonic_nanoseconds()
            repeat {
                let count = recv(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
                if count >= 0 { return count }
                colony_yield()
            } while colony_monotonic_nanoseconds() - start < busyPollNanoseconds
        }
        return recv(descriptor, bytes.baseAddress, bytes.count, 0)
    }
}
