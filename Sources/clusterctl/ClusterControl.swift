import ArgumentParser

@main
struct ClusterControl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clusterctl",
        abstract: "Starts, watches and asks a Colony cluster.",
        subcommands: [
            GenerateCommand.self,
            // One line per subcommand, each in a file of its own.
            StatusCommand.self,
            TemplateCommand.self,
            TokenizeCommand.self,
            UpCommand.self,
        ])
}
