import Glibc

/// The one place where `errno` becomes words or a `TransportError`.
enum SystemError {
    /// The system's words for an error number.
    static func text(of errorNumber: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard strerror_r(errorNumber, &buffer, buffer.count) == 0 else { return "error \(errorNumber)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The error of the call that failed just now.
    static func last(_ name: String) -> TransportError {
        .systemCall(name: name, errorNumber: errno)
    }

    /// The words for the error of the call that failed just now.
    static var lastText: String { text(of: errno) }
}
