import ArgumentParser
import Basics
import Configuration
import Kernels
import Logging
import ServiceSupport
import Transport
import WorkerService

/// `worker --config cluster.yaml`: hosts shards until it is stopped.
@main
struct WorkerCommand: CommandLineProgram {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Hosts experts of a model and computes them for a coordinator.",
        discussion: """
            Which worker of the configuration this process is, its certificate says.

            Every setting of the configuration is an option too:
            \(ConfigurationOption.helpText(for: .worker))
            """)

    @OptionGroup var arguments: ServiceArguments

    func run() throws {
        try ServiceProgram.run(.worker, arguments) { configuration, identity, logger in
            try RunningWorker(configuration, identity, logger)
        }
    }
}

/// A worker as this process runs it.
private struct RunningWorker: RunningService {
    let worker: Worker
    let address: String

    init(_ configuration: ClusterConfiguration, _ identity: NodeIdentity, _ logger: Logger) throws {
        let own = try configuration.worker(identity.node)
        let listen = try Endpoint(parsing: own.address)
        let available = ProcessMemory.availableBytes() ?? 0
        worker = try Worker(
            options: WorkerOptions(
                identity: identity, modelPath: configuration.model, listen: listen,
                memoryBudgetBytes: own.memoryBytes ?? available / 10 * 8,
                threads: ThreadPlacement(setting: own.threads, pinning: own.pinning),
                instructionSet: InstructionSet(choice: own.instructionSet.rawValue),
                spinMicroseconds: own.spinMicroseconds, busyPollMicroseconds: own.busyPollMicroseconds,
                weightCache: ConfiguredWeightCache.make(configuration, logger), hasHugePages: own.hugePages == .auto),
            logger: logger)
        address = Endpoint(host: listen.host, port: try worker.start()).description
    }

    func stop() { worker.stop() }
}
