import Basics
import Configuration
import Foundation
import Transport

/// What `clusterctl up` keeps on disk about the cluster that it started, so that the other commands find it.
///
/// ```
/// cluster.yaml     the configuration with the addresses in use
/// certificates/    authority/, and one directory per node (coordinator, worker-1 …, gateway, operator)
/// logs/            one file per process
/// pids.json        the processes
/// gateway.url      where clients connect
/// ```
struct StateDirectory {
    let path: String

    /// The directory that the options name, or the user's own.
    init(_ path: String?, environment: [String: String] = ProcessInfo.processInfo.environment) {
        let home = environment["XDG_STATE_HOME"] ?? (environment["HOME"] ?? ".") + "/.local/state"
        self.path = path ?? environment["COLONY_STATE"] ?? home + "/colony"
    }

    var configurationPath: String { path + "/cluster.yaml" }
    var gatewayURLPath: String { path + "/gateway.url" }
    var processesPath: String { path + "/pids.json" }
    var certificatesPath: String { path + "/certificates" }

    func certificates(of node: String) -> String { certificatesPath + "/" + node }

    func log(of node: String) -> String { path + "/logs/\(node).log" }

    /// Makes the directory anew: what an earlier cluster left is removed, unless that cluster still runs.
    func prepare() throws {
        let manager = FileManager.default
        if let running = runningProcess() {
            throw CommandFailure("a cluster is running already from \(path) (process \(running)); give another --state")
        }
        do {
            try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
            for name in ["certificates", "logs", "cluster.yaml", "gateway.url", "pids.json"] {
                let item = path + "/" + name
                if manager.fileExists(atPath: item) { try manager.removeItem(atPath: item) }
            }
            try manager.createDirectory(atPath: path + "/logs", withIntermediateDirectories: true)
            try write("", to: path + "/.writable")
            try manager.removeItem(atPath: path + "/.writable")
        } catch {
            throw CommandFailure("cannot write to the state directory \(path): \(reason(error))")
        }
    }

    func write(_ text: String, to file: String) throws {
        try Data(text.utf8).write(to: URL(filePath: file), options: .atomic)
    }

    /// Removes what says that a cluster runs.
    func markStopped() {
        try? FileManager.default.removeItem(atPath: processesPath)
        try? FileManager.default.removeItem(atPath: gatewayURLPath)
    }

    private func runningProcess() -> Int32? {
        guard let bytes = FileManager.default.contents(atPath: processesPath),
            let processes = try? JSON(parsing: bytes), let up = processes["up"]?.integer
        else { return nil }
        return kill(Int32(up), 0) == 0 ? Int32(up) : nil
    }

    private func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        guard let underlying, underlying.domain == NSPOSIXErrorDomain else { return error.localizedDescription }
        return String(cString: strerror(Int32(underlying.code)))
    }
}

/// A failure that ends the command with exit code 1 and this message.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
