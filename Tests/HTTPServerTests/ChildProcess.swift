import Foundation
import Glibc

/// What a program printed, and how it ended.
struct ProgramResult {
    let status: Int32
    let output: String
    let errors: String
}

/// Runs an installed program to its end; nil if it is not installed.
func runProgram(_ path: String, _ arguments: [String], input: [UInt8] = []) throws -> ProgramResult? {
    guard FileManager.default.isExecutableFile(atPath: path) else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
    // A program that ends before it has read everything must not end the tests too.
    signal(SIGPIPE, SIG_IGN)
    process.standardInput = stdin
    process.standardOutput = stdout
    process.standardError = stderr
    let errors = Awaited<String>()
    try process.run()
    Thread {
        errors.set(String(decoding: stderr.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
    }.start()
    // A program that answers while it reads would block on a full pipe if nobody read meanwhile.
    Thread {
        try? stdin.fileHandleForWriting.write(contentsOf: Data(input))
        try? stdin.fileHandleForWriting.close()
    }.start()
    let output = String(decoding: stdout.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return ProgramResult(status: process.terminationStatus, output: output, errors: errors.wait() ?? "")
}

/// The programs that some tests need; tests without theirs are reported as disabled.
enum Program {
    static let compiler = "/usr/bin/cc"
    static let curl = "/usr/bin/curl"
    static let h2load = "/usr/bin/h2load"
    static let nghttp = "/usr/bin/nghttp"

    static func isInstalled(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }
}

/// A file that is removed with the object.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "http-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
