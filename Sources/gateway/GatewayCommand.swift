import Configuration
import Foundation
import GatewayService
import Logging
import ServiceSupport

/// `gateway --config cluster.yaml`: serves until SIGINT or SIGTERM.
///
/// Exit codes: 0 stopped when asked to, 1 cannot serve, 2 bad usage. (Options are those of the configuration's table,
/// which ArgumentParser cannot take over; so the few arguments are read here.)
@main
enum GatewayCommand {
    /// What the command line says.
    private struct Arguments {
        var configPath: String?
        var overrides: [String: String]
        var wantsHelp = false

        /// Options of this program besides the configuration's, and the keys that they stand for.
        static let own = ["--config", "--help", "--listen", "--node"]

        init(_ arguments: [String], environment: [String: String]) throws {
            let (overrides, rest) = try ConfigurationOption.overrides(from: arguments)
            self.overrides = overrides
            configPath = environment["COLONY_CONFIG"]
            var remaining = rest[...]
            while let argument = remaining.popFirst() {
                let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
                let flag = parts.first ?? ""
                if flag == "--help" || flag == "-h" {
                    wantsHelp = true
                    continue
                }
                guard Arguments.own.contains(flag) else {
                    throw ConfigurationOption.unknownOption(argument, alsoKnown: Arguments.own)
                }
                guard let value = parts.count > 1 ? parts[1] : remaining.popFirst() else {
                    throw ConfigurationError.optionValueMissing(
                        option: flag, expected: flag == "--config" ? "a file" : "a value")
                }
                switch flag {
                case "--config": configPath = value
                case "--listen": self.overrides["gateway.address"] = value
                default: self.overrides["gateway.node"] = value
                }
            }
        }
    }

    static func main() {
        let environment = ProcessInfo.processInfo.environment
        let configuration: ClusterConfiguration
        do {
            let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()), environment: environment)
            if arguments.wantsHelp { return print(help) }
            configuration = try ClusterConfiguration.load(
                path: arguments.configPath, environment: environment, overrides: arguments.overrides)
        } catch {
            end(2, "\(error)")
        }
        ServiceLog.bootstrap(
            node: "\(configuration.gateway.node)", level: Logger.Level(rawValue: configuration.log.level) ?? .info,
            format: LogFormat(rawValue: configuration.log.format) ?? .text)
        let logger = Logger(label: "gateway")
        for variable in ConfigurationOption.unknownVariables(
            in: environment, alsoKnown: ["COLONY_CONFIG", "COLONY_URL"])
        {
            let hint = variable.suggestion.map { "; did you mean \($0)?" } ?? ""
            logger.warning("the variable \(variable.name) sets nothing\(hint)")
        }
        serve(configuration, logger)
    }

    private static func serve(_ configuration: ClusterConfiguration, _ logger: Logger) {
        let signals = SignalWaiter()
        do {
            let gateway = try Gateway(configuration, logger: logger)
            try gateway.start()
            _ = signals.wait()
            gateway.stop()
        } catch {
            end(1, error.description)
        }
    }

    private static func end(_ code: Int32, _ message: String) -> Never {
        FileHandle.standardError.write(Data("gateway: \(message)\n".utf8))
        exit(code)
    }

    private static var help: String {
        """
        usage: gateway --config FILE [options]

        Serves OpenAI's HTTP interface and hands requests to the cluster's coordinator. SIGINT and SIGTERM stop it.

          --config <file>
              The cluster's configuration; also the variable COLONY_CONFIG.
          --listen <host:port>
              Short for --gateway-address.
          --node <name>
              Short for --gateway-node.

        Options go before variables, those before the file:
        \(ConfigurationOption.helpText(for: .gateway))
        """
    }
}
