import ArgumentParser
import ServiceSupport

@main
struct ClusterControl: CommandLineProgram {
    static let configuration = CommandConfiguration(
        commandName: "clusterctl",
        abstract: "Starts, watches and asks a Colony cluster.",
        subcommands: [
            // One line per subcommand, each in a file of its own.
            CertificateCommands.self,
            ChatCommand.self,
            GenerateCommand.self,
            StatusCommand.self,
            TemplateCommand.self,
            TokenizeCommand.self,
            UpCommand.self,
        ])
}
