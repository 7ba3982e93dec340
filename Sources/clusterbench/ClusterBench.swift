import ArgumentParser
import ServiceSupport

@main
struct ClusterBench: CommandLineProgram {
    static let configuration = CommandConfiguration(
        commandName: "clusterbench",
        abstract: "Measures a Colony cluster and its parts.",
        subcommands: [
            // One line per subcommand, each in a file of its own.
            AccuracyCommand.self,
            ContextCommand.self,
            KernelsCommand.self,
            LoadCommand.self,
            ModelCommand.self,
            PredictionCommand.self,
            RPCCommand.self,
            RPCServerCommand.self,
        ])
}
