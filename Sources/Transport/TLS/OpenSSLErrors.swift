import COpenSSL

/// OpenSSL keeps a queue of errors per thread. It must be empty before a call whose error is to be told, and it is
/// emptied when it is read.
enum OpenSSLErrors {
    /// Forgets errors of earlier calls on this thread.
    static func clear() { ERR_clear_error() }

    /// Takes the errors of this thread, oldest first, as one line.
    static func take() -> String {
        var reasons: [String] = []
        while true {
            let code = ERR_get_error()
            guard code != 0 else { break }
            if let reason = ERR_reason_error_string(code) {
                reasons.append(String(cString: reason))
            } else {
                reasons.append("error \(code)")
            }
        }
        return reasons.isEmpty ? "no reason given" : reasons.joined(separator: "; ")
    }
}
