import Basics
import Configuration
import Foundation
import OrderedCollections
import ServiceSupport
import Synchronization
import Transport
import Wire

/// A whole cluster on this machine: its certificates, configuration and processes.
final class LocalCluster: Sendable {
    /// What `clusterctl up` was asked for.
    struct Plan {
        var model: String
        var workerCount: Int
        var listen: String
        var workerInstructionSets: [InstructionSetChoice]
        var workerMemoryBytes: UInt64?
        var overrides: [String: String]
        var logLevel: String
    }

    private let state: StateDirectory
    private let plan: Plan
    private let onEnd: @Sendable (_ name: String, _ how: String) -> Void
    private let services = Mutex<[ServiceProcess]>([])
    private let reportsEndings = Mutex(false)

    init(state: StateDirectory, plan: Plan, onEnd: @escaping @Sendable (_ name: String, _ how: String) -> Void) {
        self.state = state
        self.plan = plan
        self.onEnd = onEnd
    }

    /// From now on processes that end are reported: until the cluster is ready whoever waits finds out by itself, and
    /// once it is being stopped they are meant to end.
    func setReportsEndings(_ reports: Bool) { reportsEndings.withLock { $0 = reports } }

    private var workerNames: [String] { (0..<plan.workerCount).map { "worker-\($0 + 1)" } }

    /// Makes an authority and a certificate for every process and for the operator.
    func issueCertificates() throws {
        let authority = try CertificateAuthority.create(directory: state.certificates(of: "authority"))
        func issue(_ name: String, _ role: Role) throws {
            try authority.issue(node: NodeID(name), role: role, into: state.certificates(of: name))
        }
        try issue("coordinator", .coordinator)
        try issue("gateway", .gateway)
        try issue("operator", .operator)
        for name in workerNames { try issue(name, .worker) }
    }

    /// Starts every process, each with the addresses of those before it.
    /// - Returns: where clients find the gateway, `http://host:port`, or `https://…` if it has a certificate.
    func start() throws -> String {
        var configuration = try baseConfiguration()
        for (index, name) in workerNames.enumerated() {
            var own = configuration
            own.workers = [worker(index, address: "127.0.0.1:0")]
            let process = try start(name, "worker", own)
            configuration.workers.append(worker(index, address: process.address))
        }
        configuration.coordinator.address = try start("coordinator", "coordinator", configuration).address
        try state.write(configuration.text(), to: state.configurationPath)
        configuration.gateway.address = try start("gateway", "gateway", configuration).address
        try state.write(configuration.text(), to: state.configurationPath)
        let scheme = configuration.gateway.tlsCertificate == nil ? "http" : "https"
        return scheme + "://" + configuration.gateway.address
    }

    /// Stops every process, those that clients see first.
    func stop() {
        setReportsEndings(false)
        let services = services.withLock { $0 }
        for service in services.reversed() { service.terminate() }
        for service in services.reversed() { service.waitUntilEnded(timeoutMilliseconds: 5000) }
        state.markStopped()
    }

    /// The first process that has ended, with what it said last.
    var firstEnded: (name: String, how: String, message: String?)? {
        services.withLock { services in
            services.lazy.compactMap { service in
                service.howItEnded.map {
                    (service.name, $0, ServiceProcess.lastError(self.state.log(of: service.name)))
                }
            }.first
        }
    }

    private func baseConfiguration() throws -> ClusterConfiguration {
        // The processes share this machine's processors: whoever spins keeps the others from computing, and threads
        // that are bound meet those of other processes where they are bound too.
        var overrides = [
            "coordinator.spin_microseconds": "\(ProcessorShare.spinMicroseconds)",
            "coordinator.pinning": PinningChoice.none.rawValue,
        ]
        overrides.merge(plan.overrides) { $1 }
        overrides["model"] = plan.model
        overrides["certificates"] = state.certificates(of: "coordinator")
        var configuration = try ClusterConfiguration.load(path: nil, environment: [:], overrides: overrides)
        configuration.coordinator.address = "127.0.0.1:0"
        configuration.gateway.address = plan.listen
        // A path that was given here counts from here, not from the file that the gateway reads it from.
        configuration.gateway.tlsCertificate = configuration.gateway.tlsCertificate.map(Self.absolutePath)
        configuration.gateway.tlsKey = configuration.gateway.tlsKey.map(Self.absolutePath)
        configuration.log.level = plan.logLevel
        return configuration
    }

    private static func absolutePath(_ path: String) -> String {
        URL(filePath: path).standardizedFileURL.path(percentEncoded: false)
    }

    private func worker(_ index: Int, address: String) -> ClusterConfiguration.Worker {
        var worker = ClusterConfiguration.Worker(node: NodeID(workerNames[index]), address: address)
        let share = ProcessorShare(processorCount: ThreadCount.resolve(0), workerCount: plan.workerCount)
        worker.threads = share.threadCount
        worker.spinMicroseconds = share.spinMicroseconds
        worker.pinning = .none
        worker.memoryBytes = plan.workerMemoryBytes
        if !plan.workerInstructionSets.isEmpty {
            worker.instructionSet = plan.workerInstructionSets[index % plan.workerInstructionSets.count]
        }
        return worker
    }

    /// What was asked for workers goes before what is chosen here.
    private var workerArguments: [String] {
        plan.overrides.filter { $0.key.hasPrefix("workers[].") }.sorted { $0.key < $1.key }.flatMap { key, value in
            ConfigurationOption.find(key).map { [$0.flag, value] } ?? []
        }
    }

    private func start(_ name: String, _ program: String, _ configuration: ClusterConfiguration) throws
        -> ServiceProcess
    {
        let path = state.path + "/logs/\(name).yaml"
        try state.write(configuration.text(), to: path)
        let process = try ServiceProcess(
            name: name, program: program,
            arguments: ["--config", path, "--certificates", state.certificates(of: name)]
                + (program == "worker" ? workerArguments : []),
            logPath: state.log(of: name)
        ) { [weak self] name, how in
            guard let self, reportsEndings.withLock({ $0 }) else { return }
            onEnd(name, how)
        }
        let all = services.withLock { services in
            services.append(process)
            return services
        }
        var identifiers: JSON = ["up": .integer(Int64(getpid()))]
        if case .object(var members) = identifiers {
            for service in all { members[service.name] = .integer(Int64(service.identifier)) }
            identifiers = .object(members)
        }
        try state.write(identifiers.serialised(.indented) + "\n", to: state.processesPath)
        return process
    }
}
