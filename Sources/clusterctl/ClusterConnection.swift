import ArgumentParser
import Basics
import Configuration
import Foundation
import Transport
import Wire

/// Which cluster a command talks to, and as whom.
struct ClusterOptions: ParsableArguments {
    @Option(help: "The state directory of the cluster that 'up' started; also COLONY_STATE.")
    var state: String?

    @Option(help: "The cluster's configuration file, instead of a state directory; also COLONY_CONFIG.")
    var config: String?

    @Option(help: "Directory with an operator's ca.pem, node.pem and node.key; with --config.")
    var certificates: String?

    /// Dials the coordinator.
    func connect() throws -> CoordinatorConnection {
        try CoordinatorConnection(stateDirectory: state, configurationPath: config, certificates: certificates)
    }
}

/// The cluster does not answer: exit code 3.
struct UnreachableCluster: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A link to the coordinator.
struct CoordinatorConnection {
    private static let timeoutMilliseconds = 5000

    let link: Link

    /// Dials the coordinator of a cluster that `up` started, or of a configuration file.
    init(stateDirectory: String?, configurationPath: String? = nil, certificates: String? = nil) throws {
        let environment = ProcessInfo.processInfo.environment
        let directory = StateDirectory(stateDirectory, environment: environment)
        let named = configurationPath ?? (stateDirectory == nil ? environment["COLONY_CONFIG"] : nil)
        let path = named ?? directory.configurationPath
        guard FileManager.default.fileExists(atPath: path) else {
            throw UnreachableCluster(
                "there is no \(path): is a cluster running? 'clusterctl up --model PATH' starts one")
        }
        // Only a cluster that `up` started keeps the operator's certificate beside the configuration.
        let own = certificates ?? (named == nil ? directory.certificates(of: "operator") : nil)
        let configuration = try ClusterConfiguration.load(
            path: path, environment: environment, overrides: own.map { ["certificates": $0] } ?? [:])
        let identity = try NodeIdentity.load(directory: configuration.certificates)
        let endpoint = try Endpoint(parsing: configuration.coordinator.address)
        link = try Self.dial(endpoint, identity, configuration.coordinator.node)
    }

    private static func dial(_ endpoint: Endpoint, _ identity: NodeIdentity, _ node: NodeID) throws -> Link {
        do {
            return try Link.dial(
                endpoint, identity: identity, linkClass: .control, expectedRole: .coordinator, expectedNode: node
            ).link
        } catch {
            guard case .connectFailed = error else { throw error }
            throw UnreachableCluster("the coordinator does not answer: \(error)")
        }
    }

    func status() throws(TransportError) -> ClusterStatus {
        try link.request(kind: .statusRequest, .empty, timeoutMilliseconds: Self.timeoutMilliseconds).decode()
    }

    func close() { link.close(.linkClosed(reason: "done")) }
}

/// Runs a command's body and turns what goes wrong into a message and the exit codes of the manual.
func reporting(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as ExitCode {
        throw error
    } catch let error as ValidationError {
        throw error
    } catch let error as UnreachableCluster {
        throw failed(error.description, ExitCode(3))
    } catch let error as ConfigurationError {
        throw failed(error.description, ExitCode(2))
    } catch {
        throw failed("\(error)", ExitCode.failure)
    }
}

private func failed(_ message: String, _ code: ExitCode) -> ExitCode {
    FileHandle.standardError.write(Data("clusterctl: error: \(message)\n".utf8))
    return code
}
