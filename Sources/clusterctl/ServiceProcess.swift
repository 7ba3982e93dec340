import Basics
import Dispatch
import Foundation
import ServiceSupport
import Synchronization

/// A coordinator, worker or gateway that `clusterctl up` started.
final class ServiceProcess: Sendable {
    /// How a process ended, told by its termination handler.
    private final class Ending: Sendable {
        let text = Mutex<String?>(nil)
        let happened = DispatchSemaphore(value: 0)
    }

    /// Name of the node.
    let name: String
    /// The process.
    let identifier: Int32
    /// Where it listens, `host:port`, as it told on standard output.
    let address: String
    private let ending = Ending()

    /// Starts `program`, which lies beside this one, and waits until it listens.
    init(
        name: String, program: String, arguments: [String], logPath: String,
        onEnd: @escaping @Sendable (_ name: String, _ how: String) -> Void
    ) throws {
        self.name = name
        let process = Process()
        process.executableURL = Self.programDirectory.appending(path: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(
            [ServiceProgram.parentVariable: "\(getpid())"], uniquingKeysWith: { $1 })
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        process.standardError = try Self.openLog(logPath)
        process.terminationHandler = { [ending] process in
            let isSignal = process.terminationReason == .uncaughtSignal
            let how = (isSignal ? "signal " : "exit code ") + "\(process.terminationStatus)"
            ending.text.withLock { $0 = how }
            ending.happened.signal()
            onEnd(name, how)
        }
        do {
            try process.run()
        } catch {
            throw CommandFailure("cannot start \(program): \(error.localizedDescription)")
        }
        identifier = process.processIdentifier
        guard let address = Self.readAddress(output.fileHandleForReading) else {
            process.terminate()
            ending.happened.wait()
            throw CommandFailure(Self.lastError(logPath) ?? "\(name) ended before it listened; see \(logPath)")
        }
        self.address = address
    }

    /// How it ended; nil while it runs.
    var howItEnded: String? { ending.text.withLock { $0 } }

    /// Asks it to end.
    func terminate() {
        if howItEnded == nil { kill(identifier, SIGTERM) }
    }

    /// Waits until it has ended; one that takes longer is killed.
    func waitUntilEnded(timeoutMilliseconds: Int) {
        if ending.happened.wait(timeout: .now() + .milliseconds(timeoutMilliseconds)) == .timedOut {
            kill(identifier, SIGKILL)
            ending.happened.wait()
        }
        ending.happened.signal()
    }

    /// The last line of a log that says what went wrong.
    static func lastError(_ logPath: String) -> String? {
        guard let log = try? String(contentsOfFile: logPath, encoding: .utf8) else { return nil }
        let line = log.split(separator: "\n").last { $0.contains(": error: ") }
        return line.flatMap { $0.range(of: ": error: ").map { String(log[$0.upperBound...].prefix { $0 != "\n" }) } }
    }

    private static var programDirectory: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }

    private static func openLog(_ path: String) throws -> FileHandle {
        guard FileManager.default.createFile(atPath: path, contents: nil), let log = FileHandle(forWritingAtPath: path)
        else { throw CommandFailure("cannot write the log \(path)") }
        return log
    }

    /// Reads the line that a service prints once it listens; nil if it ends without.
    private static func readAddress(_ output: FileHandle) -> String? {
        var text = ""
        while !text.contains("\n") {
            let bytes = output.availableData
            guard !bytes.isEmpty else { return nil }
            text += String(decoding: bytes, as: UTF8.self)
        }
        let line = text.prefix { $0 != "\n" }
        guard line.hasPrefix(ServiceProgram.listeningPrefix) else { return nil }
        return String(line.dropFirst(ServiceProgram.listeningPrefix.count))
    }
}
