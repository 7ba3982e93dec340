import ArgumentParser
import Foundation
import Wire

/// `clusterctl status`: what the cluster is made of and how it is.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows the nodes of the cluster, their state and their load.",
        discussion: "Exit codes: 0 the cluster can generate, 1 it cannot, 2 bad usage, 3 cannot reach the cluster.")

    @OptionGroup var cluster: ClusterOptions

    @Flag(help: "The same as GET /cluster: one JSON document.")
    var json = false

    @Flag(help: "Shows it again every second until Ctrl-C.")
    var watch = false

    func run() throws {
        try reporting {
            let connection = try cluster.connect()
            defer { connection.close() }
            repeat {
                let status = try connection.status()
                let text =
                    json
                    ? try status.printed() : StatusTable(status: status).text
                write(watch && !json ? "\u{1B}[H\u{1B}[2J" + text : text)
                guard watch else {
                    if !status.isReady { throw ExitCode.failure }
                    return
                }
                Thread.sleep(forTimeInterval: 1)
            } while true
        }
    }

    private func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
