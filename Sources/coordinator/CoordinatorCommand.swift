import ArgumentParser

@main
struct CoordinatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "coordinator", abstract: "")

    func run() throws {}
}
