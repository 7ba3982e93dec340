import ArgumentParser
import Foundation
import GatewayClient

/// The options that `generate` and `chat` have in common: which gateway is asked, and how answers are generated.
struct GenerationArguments: ParsableArguments {
    @Option(help: "The gateway, e.g. http://127.0.0.1:8080; also COLONY_URL.")
    var url: String?

    @Option(help: "The state directory of the cluster that 'up' started; its gateway is asked.")
    var state: String?

    @Option(help: "The name of the model to ask for.")
    var model = "default"

    @Option(help: "What the model is told before everything else.")
    var system: String?

    @Option(help: "0 always takes the likeliest token, 2 is the wildest; the model's default if absent.")
    var temperature: Double?

    @Option(help: "Draw from the likeliest tokens that have this probability together; the model's default if absent.")
    var topP: Double?

    @Option(help: "The same seed gives the same answer; drawn at random if absent.")
    var seed: Int?

    @Option(
        name: .customLong("template"),
        help: ArgumentHelp(
            "A variable of the model's chat template, e.g. enable_thinking=false; may be repeated.",
            valueName: "name=value"))
    var templateArguments: [String] = []

    @Flag(name: .customLong("no-wait"), help: "Fail while the cluster is not ready, instead of waiting for it.")
    var doesNotWait = false

    func validate() throws { _ = try settings(maxTokens: nil) }

    /// How answers are generated.
    func settings(maxTokens: Int?) throws -> GenerationSettings {
        var settings = GenerationSettings()
        settings.model = model
        settings.temperature = temperature
        settings.topP = topP
        settings.seed = seed
        settings.maxTokens = maxTokens
        do throws(GenerationSettings.Problem) {
            try settings.check()
            for argument in templateArguments { try settings.addTemplateArgument(argument) }
        } catch {
            throw ValidationError("--\(error)")
        }
        return settings
    }

    /// The gateway.
    func connect(interruptDescriptor: Int32? = nil) throws -> GatewayConnection {
        let address = try GatewayAddress.find(
            url: url, stateDirectory: state, environment: ProcessInfo.processInfo.environment)
        return GatewayConnection(
            host: address.host, port: address.port, interruptDescriptor: interruptDescriptor)
    }
}

/// Runs the body of a command that asks the gateway, and turns what goes wrong into a message and the exit codes of the
/// manual.
func reportingGateway(_ command: String, _ body: () throws -> Void) throws {
    func fail(_ message: String, _ code: Int32) -> ExitCode {
        FileHandle.standardError.write(Data("clusterctl \(command): \(message)\n".utf8))
        return ExitCode(code)
    }
    do {
        try body()
    } catch let error as GatewayFailure {
        guard case .unreachable = error else { throw fail("\(error)", 1) }
        throw fail("\(error); 'clusterctl up --model PATH' starts a cluster", 3)
    } catch let error as UnreachableCluster {
        throw fail(error.description, 3)
    } catch let error as GatewayAddress.Unusable {
        throw fail(error.description, 2)
    }
}
