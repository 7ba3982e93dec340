import ArgumentParser

@main
struct ClusterControl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clusterctl",
        abstract: "Starts, watches and asks a Colony cluster.",
        subcommands: [
            GenerateCommand.self,
            // One line per subcommand, each in a file of its own.
            TemplateCommand.self,
            TokenizeCommand.self,
        ])
}
