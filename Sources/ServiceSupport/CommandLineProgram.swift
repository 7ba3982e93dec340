public import ArgumentParser
import Foundation
import Glibc
import Transport

/// A program whose exit codes are those of the manual: 0 done, 1 the cluster said no, 2 bad usage, 3 cannot reach the
/// cluster. (ArgumentParser's own code for bad usage is 64.)
public protocol CommandLineProgram: ParsableCommand {}

extension CommandLineProgram {
    /// Parses the command line, runs the command, and exits.
    public static func main() {
        OpenSSLLibrary.keepUntilExit()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
            Glibc.exit(2)
        }
    }
}
