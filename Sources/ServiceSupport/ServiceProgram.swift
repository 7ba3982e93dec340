public import ArgumentParser
import Basics
import CLinux
public import Configuration
import Foundation
import Glibc
public import Logging
public import Transport
import Wire

/// The command line that coordinator, worker and gateway have in common.
public struct ServiceArguments: ParsableArguments {
    /// The configuration file.
    @Option(help: "The cluster's configuration file, see cluster/cluster.yaml; also COLONY_CONFIG.")
    public var config: String?

    /// Options of the configuration's table.
    @Argument(parsing: .allUnrecognized, help: .hidden)
    public var settings: [String] = []

    /// Nothing set.
    public init() {}
}

/// A service that runs until it is stopped.
public protocol RunningService {
    /// Where it listens, `host:port`.
    var address: String { get }
    /// Ends it; returns when it has ended.
    func stop()
}

/// What coordinator, worker and gateway have in common from the first argument to the last signal.
public enum ServiceProgram {
    /// The variable by which `clusterctl up` names itself to the services that it starts.
    public static let parentVariable = "COLONY_PARENT_PROCESS"
    /// Standard output's line `listening HOST:PORT` begins with this.
    public static let listeningPrefix = "listening "

    /// A process was given another process's certificate; with it everyone else would refuse it.
    private struct WrongCertificate: Error, CustomStringConvertible {
        let identity: NodeIdentity
        let program: ConfigurationRole

        var description: String {
            "the certificate of \(identity.node) is a \(identity.role.rawValue)'s, and cannot be used by a "
                + program.rawValue
        }
    }

    /// Reads the configuration, starts the service, tells where it listens on standard output, and waits for SIGINT or
    /// SIGTERM.
    /// - Parameter start: gets the configuration, the certificate, whose role is right, and a logger.
    /// - Throws: `ExitCode` 1 if the service cannot start, 2 if the configuration is wrong; the reason is printed.
    public static func run(
        _ role: ConfigurationRole, _ arguments: ServiceArguments,
        start: (ClusterConfiguration, NodeIdentity, Logger) throws -> any RunningService
    ) throws {
        endWithParent()
        let signals = SignalWaiter()
        let configuration = try load(role, arguments)
        let service: any RunningService
        do {
            let identity = try NodeIdentity.load(directory: configuration.certificates)
            guard identity.role.rawValue == role.rawValue else {
                throw WrongCertificate(identity: identity, program: role)
            }
            ServiceLog.bootstrap(
                node: identity.node.value, level: Logger.Level(rawValue: configuration.log.level) ?? .info,
                format: LogFormat(rawValue: configuration.log.format) ?? .text)
            let logger = Logger(label: role.rawValue)
            warnOfUnknownVariables(logger)
            service = try start(configuration, identity, logger)
        } catch {
            throw failure(role, "\(error)", ExitCode.failure)
        }
        write(listeningPrefix + service.address + "\n", to: STDOUT_FILENO)
        _ = signals.wait()
        service.stop()
    }

    private static func load(
        _ role: ConfigurationRole, _ arguments: ServiceArguments
    ) throws -> ClusterConfiguration {
        do {
            let environment = ProcessInfo.processInfo.environment
            let (overrides, rest) = try ConfigurationOption.overrides(from: arguments.settings)
            if let unknown = rest.first {
                throw ConfigurationOption.unknownOption(unknown, alsoKnown: ["--config", "--help"])
            }
            return try ClusterConfiguration.load(
                path: arguments.config ?? environment["COLONY_CONFIG"], environment: environment, overrides: overrides)
        } catch {
            throw failure(role, "\(error)", ExitCode(2))
        }
    }

    private static func warnOfUnknownVariables(_ logger: Logger) {
        let own = ["COLONY_CONFIG", "COLONY_STATE", "COLONY_URL", parentVariable]
        let environment = ProcessInfo.processInfo.environment
        for variable in ConfigurationOption.unknownVariables(in: environment, alsoKnown: own) {
            let hint = variable.suggestion.map { "; did you mean \($0)?" } ?? ""
            logger.warning("the variable \(variable.name) sets nothing\(hint)")
        }
    }

    private static func failure(_ role: ConfigurationRole, _ message: String, _ code: ExitCode) -> ExitCode {
        write("\(role.rawValue): error: \(message)\n", to: STDERR_FILENO)
        return code
    }

    /// A service that `clusterctl up` started ends with it, however that ends.
    private static func endWithParent() {
        guard let text = ProcessInfo.processInfo.environment[parentVariable], let parent = Int32(text) else { return }
        _ = colony_end_with_parent()
        // The parent may have ended before the kernel was asked.
        if getppid() != parent { exit(1) }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).write(Data(text.utf8))
    }
}
