import ArgumentParser
import Basics
import Configuration
import GatewayService
import Logging
import ServiceSupport
import Transport

/// `gateway --config cluster.yaml`: serves HTTP until it is stopped.
@main
struct GatewayCommand: CommandLineProgram {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Serves OpenAI's HTTP interface and hands requests to the cluster's coordinator.",
        discussion: """
            Every setting of the configuration is an option too:
            \(ConfigurationOption.helpText(for: .gateway))
            """)

    @OptionGroup var arguments: ServiceArguments

    func run() throws {
        try ServiceProgram.run(.gateway, arguments) { configuration, identity, logger in
            try RunningGateway(configuration, identity, logger)
        }
    }
}

/// A gateway as this process runs it.
private struct RunningGateway: RunningService {
    let gateway: Gateway
    let address: String

    init(_ configuration: ClusterConfiguration, _ identity: NodeIdentity, _ logger: Logger) throws {
        gateway = try Gateway(configuration, identity: identity, logger: logger)
        try gateway.start()
        let host = configuration.gateway.address.prefix(
            upTo: configuration.gateway.address.lastIndex(of: ":") ?? configuration.gateway.address.endIndex)
        address = "\(host):\(gateway.port)"
    }

    func stop() { gateway.stop() }
}
