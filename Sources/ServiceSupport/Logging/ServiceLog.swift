import Glibc
public import Logging

/// How log lines look.
public enum LogFormat: String, Sendable, CaseIterable {
    /// One JSON object per line, for machines.
    case json
    /// Words, for people.
    case text
}

/// The log of a process: one line per event on standard error.
public enum ServiceLog {
    /// Makes every `Logger` of this process write to standard error as `node`. Call once, before the first logger.
    public static func bootstrap(node: String, level: Logger.Level, format: LogFormat) {
        LoggingSystem.bootstrap { label in
            var handler = LineLogHandler(label: label, node: node, format: format, write: writeToStandardError)
            handler.logLevel = level
            return handler
        }
    }

    /// Hands a line to the kernel in one call, so that lines of several threads (and processes) do not mix. What
    /// cannot be written is lost: a full disk must not stop a service.
    private static func writeToStandardError(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(STDERR_FILENO, bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                written += count
            }
        }
    }
}
