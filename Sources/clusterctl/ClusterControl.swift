import ArgumentParser

@main
struct ClusterControl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clusterctl",
        abstract: "Starts, watches and asks a Colony cluster.",
        subcommands: [
            // One line per subcommand, each in a file of its own.
            CertificateCommands.self,
            GenerateCommand.self,
            StatusCommand.self,
            TemplateCommand.self,
            TokenizeCommand.self,
            UpCommand.self,
        ])
}
