import ArgumentParser

@main
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "worker", abstract: "")

    func run() throws {}
}
