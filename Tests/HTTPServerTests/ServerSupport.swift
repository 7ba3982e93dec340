import Foundation
import Glibc
import HTTPServer
import Logging
import Synchronization

/// A handler made of a closure.
struct ClosureHandler: HTTPHandler {
    let body: @Sendable (HTTPRequest, HTTPResponse) -> Void

    func handle(_ request: HTTPRequest, response: HTTPResponse) { body(request, response) }
}

/// Runs `serve` with a server on a free port of the loopback, and stops it afterwards.
///
/// `serve` runs on a thread of its own: it blocks, and the threads of Swift's concurrency are few.
func withServer(
    _ configuration: HTTPConfiguration = HTTPConfiguration(host: "127.0.0.1", port: 0),
    handler: @escaping @Sendable (HTTPRequest, HTTPResponse) -> Void,
    serve: @escaping @Sendable (HTTPListener) throws -> Void
) async throws {
    let listener = try makeListener(configuration, handler: handler)
    defer { listener.stop(graceMilliseconds: 0) }
    try await onThread { try serve(listener) }
}

/// A server that logs nothing.
func makeListener(
    _ configuration: HTTPConfiguration, handler: @escaping @Sendable (HTTPRequest, HTTPResponse) -> Void = echo
) throws -> HTTPListener {
    var logger = Logger(label: "test")
    logger.logLevel = .error
    return try HTTPListener(configuration: configuration, handler: ClosureHandler(body: handler), logger: logger)
}

/// Runs a blocking body on a new thread.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread { continuation.resume(with: Result { try body() }) }.start()
    }
}

/// A value that several threads write and one waits for.
final class Awaited<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    private let semaphore = DispatchSemaphore(value: 0)

    func set(_ value: Value) {
        values.withLock { $0.append(value) }
        semaphore.signal()
    }

    /// The next value; nil if none comes within ten seconds.
    func wait(seconds: Int = 10) -> Value? {
        guard semaphore.wait(timeout: .now() + .seconds(seconds)) == .success else { return nil }
        return values.withLock { $0.removeFirst() }
    }
}

struct SocketFailure: Error {
    let what: String
}

/// A client that sends any bytes and reads what comes.
final class RawClient {
    private let descriptor: Int32

    init(port: UInt16, receiveBufferBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBufferBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafeBytes(of: &address) { bytes in
            connect(
                descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard result == 0 else { throw SocketFailure(what: "connect: \(errno)") }
    }

    deinit { close() }

    private var isOpen = true

    func close() {
        if isOpen { Glibc.close(descriptor) }
        isOpen = false
    }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next bytes; nil at the end of the connection or after twenty seconds of silence.
    func receive(upTo byteCount: Int = 64 << 10) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        hasEnded = count == 0 || count < 0 && errno != EAGAIN
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    /// Whether the other side drops the connection, without anything of it being read.
    func isResetEventually() -> Bool {
        var request = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&request, 1, 20_000) == 1
    }

    private var pending = ""
    /// Whether the other side has ended the connection, as opposed to being silent.
    private(set) var hasEnded = false

    /// Everything up to and including `mark`; nil if the connection ends before it.
    func receive(through mark: String) -> String? {
        while true {
            if let range = pending.range(of: mark) {
                let found = String(pending[..<range.upperBound])
                pending = String(pending[range.upperBound...])
                return found
            }
            guard let bytes = receive() else { return nil }
            pending += String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Everything up to the end of the connection.
    func receiveToEnd() -> String {
        while let bytes = receive() { pending += String(decoding: bytes, as: UTF8.self) }
        defer { pending = "" }
        return pending
    }
}
