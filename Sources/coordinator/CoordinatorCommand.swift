import ArgumentParser
import Basics
import Configuration
import CoordinatorService
import Engine
import Kernels
import Logging
import ServiceSupport
import Transport

/// `coordinator --config cluster.yaml`: runs the sequences until it is stopped.
@main
struct CoordinatorCommand: CommandLineProgram {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Keeps the sequences of a cluster, runs attention and the router, and places the experts.",
        discussion: """
            Every setting of the configuration is an option too:
            \(ConfigurationOption.helpText(for: .coordinator))
            """)

    @OptionGroup var arguments: ServiceArguments

    func run() throws {
        try ServiceProgram.run(.coordinator, arguments) { configuration, identity, logger in
            try RunningCoordinator(configuration, identity, logger)
        }
    }
}

/// A coordinator as this process runs it.
private struct RunningCoordinator: RunningService {
    let coordinator: Coordinator
    let address: String

    init(_ configuration: ClusterConfiguration, _ identity: NodeIdentity, _ logger: Logger) throws {
        let own = configuration.coordinator
        let listen = try Endpoint(parsing: own.address)
        coordinator = try Coordinator(
            options: CoordinatorOptions(
                identity: identity, modelPath: configuration.model, modelName: configuration.modelName, listen: listen,
                workers: try configuration.workers.map { worker in
                    CoordinatorOptions.WorkerAddress(node: worker.node, endpoint: try Endpoint(parsing: worker.address))
                },
                threads: ThreadPlacement(setting: own.threads, pinning: own.pinning),
                instructionSet: InstructionSet(choice: own.instructionSet.rawValue),
                spinMicroseconds: own.spinMicroseconds, busyPollMicroseconds: own.busyPollMicroseconds,
                dispatchTimeoutMilliseconds: own.dispatchTimeoutMilliseconds,
                contextTokensMax: own.contextTokensMax == 0 ? nil : own.contextTokensMax,
                engine: EngineOptions(
                    sequencesMax: own.batchSequencesMax, rowsMax: own.prefillChunkTokens,
                    waitingMax: own.waitingSequencesMax, keyValueCacheBytes: Int(own.kvCacheBytes),
                    keyValueFormat: KeyValueFormat(rawValue: own.kvCacheFormat.rawValue)),
                activations: own.activations == .f32 ? .f32 : .int8,
                results: ResultFormat(rawValue: own.results.rawValue),
                weightCache: ConfiguredWeightCache.make(configuration, logger), hasHugePages: own.hugePages == .auto),
            logger: logger)
        address = Endpoint(host: listen.host, port: try coordinator.start()).description
    }

    func stop() { coordinator.stop() }
}
