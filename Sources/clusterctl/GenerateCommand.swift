import ArgumentParser
import Basics
import Foundation
import HTTPServer
import OrderedCollections

/// `clusterctl generate "…"`: asks the gateway to continue a text or to answer a message, and prints what comes.
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Generates text through the gateway and prints it as it comes.",
        discussion: """
            The text is a message to the model, or, with --raw (and with models that have no chat template), the \
            beginning of a text that the model continues. Without a text, standard input is read.

            Exit codes: 0 done, 1 the cluster said no, 2 bad usage, 3 cannot reach the cluster.
            """)

    @Argument(help: "The message or the text to continue.")
    var text: String?

    @Option(help: "The gateway, e.g. http://127.0.0.1:8080; also COLONY_URL.")
    var url: String?

    @Option(help: "The state directory of the cluster that 'up' started; its gateway is asked.")
    var state: String?

    @Option(help: "Most tokens to generate.")
    var maxTokens: Int = 256

    @Option(help: "0 always takes the likeliest token; the model's default if absent.")
    var temperature: Double?

    @Option(help: "The same seed gives the same answer; drawn at random if absent.")
    var seed: Int?

    @Flag(help: "Whether the text is a message (--chat) or the beginning of a text (--raw).")
    var form: Form?

    @Flag(inversion: .prefixedNo, help: "Print the text as it comes instead of all at once.")
    var stream = true

    /// How the text is meant.
    enum Form: String, EnumerableFlag {
        case chat, raw
    }

    func validate() throws {
        guard maxTokens >= 1 else { throw ValidationError("--max-tokens is \(maxTokens); it must be at least 1") }
    }

    func run() throws {
        let address: GatewayAddress
        do {
            address = try GatewayAddress.find(
                url: url, stateDirectory: state, environment: ProcessInfo.processInfo.environment)
        } catch let error as UnreachableCluster {
            throw fail(error.description, ExitCode(3))
        } catch {
            throw fail("\(error)", ExitCode(2))
        }
        let text = try text ?? readStandardInput()
        let outcome = try ask(address, text, form: form ?? .chat)
        switch outcome {
        case .done: return
        case .refused(let code, _) where form == nil && code == "no_chat_template":
            if case .refused(_, let message) = try ask(address, text, form: .raw) { throw fail(message, ExitCode(1)) }
        case .refused(_, let message): throw fail(message, ExitCode(1))
        }
    }

    private enum Outcome {
        case done
        case refused(code: String?, message: String)
    }

    private func readStandardInput() throws -> String {
        let data = FileHandle.standardInput.readDataToEndOfFile()
        guard let text = String(validating: data, as: UTF8.self), !text.isEmpty else {
            throw fail("give a text, as an argument or on standard input, in UTF-8", ExitCode(2))
        }
        return text
    }

    private func ask(_ address: GatewayAddress, _ text: String, form: Form) throws -> Outcome {
        var members: OrderedDictionary<String, JSON> = [
            "model": "default", "max_tokens": .integer(Int64(maxTokens)), "stream": .bool(stream),
        ]
        switch form {
        case .chat: members["messages"] = [["role": "user", "content": .string(text)]]
        case .raw: members["prompt"] = .string(text)
        }
        if let temperature { members["temperature"] = .double(temperature) }
        if let seed { members["seed"] = .integer(Int64(seed)) }
        var answer = AnswerPrinter()
        do throws(HTTPError) {
            let client = HTTPClient(
                host: address.host, port: address.port, timeoutMilliseconds: Limits.Gateway.clientTimeoutMilliseconds)
            let path = form == .chat ? "/v1/chat/completions" : "/v1/completions"
            let head = try client.stream(
                method: "POST", path: path, headers: [("content-type", "application/json")],
                body: Array(JSON.object(members).serialised().utf8),
                onHead: { answer.begin(status: $0.status, contentType: $0.headers["content-type"]) },
                onChunk: { answer.append($0) })
            return answer.finish(status: head.status)
        } catch .connectionFailed(let address, let reason) {
            throw fail("cannot reach the gateway at \(address): \(reason)", ExitCode(3))
        } catch {
            throw fail("the gateway at \(address.host):\(address.port): \(error)", ExitCode(3))
        }
    }

    private func fail(_ message: String, _ code: ExitCode) -> ExitCode {
        FileHandle.standardError.write(Data("clusterctl generate: \(message)\n".utf8))
        return code
    }

    /// Prints an answer as its pieces arrive.
    private struct AnswerPrinter {
        private var reader = ServerSentEventReader()
        private var body: [UInt8] = []
        private var isStream = false
        private var isComplete = false
        private var problem: Outcome?

        mutating func begin(status: Int, contentType: String?) {
            isStream = status == 200 && contentType?.hasPrefix("text/event-stream") == true
        }

        /// Takes a piece; false if nothing more is wanted.
        mutating func append(_ bytes: [UInt8]) -> Bool {
            guard isStream else {
                body += bytes
                return true
            }
            for event in reader.append(bytes) {
                if event == "[DONE]" {
                    isComplete = true
                } else if let json = try? JSON(parsing: event) {
                    take(json)
                }
            }
            return true
        }

        mutating func finish(status: Int) -> Outcome {
            if !isStream {
                let json = (try? JSON(parsing: body)) ?? .null
                isComplete = status == 200
                take(json)
                if status != 200, problem == nil {
                    problem = .refused(code: nil, message: "the gateway answered with status \(status)")
                }
            }
            if isComplete { print("") }
            if let problem { return problem }
            return isComplete ? .done : .refused(code: nil, message: "the answer broke off")
        }

        private mutating func take(_ json: JSON) {
            if let error = json["error"] {
                let message = error["message"]?.string ?? error.serialised()
                problem = .refused(code: error["code"]?.string, message: message)
                return
            }
            guard let choice = json["choices"]?.array?.first else { return }
            let text = choice["text"] ?? choice["delta"]?["content"] ?? choice["message"]?["content"]
            guard let text = text?.string, !text.isEmpty else { return }
            FileHandle.standardOutput.write(Data(text.utf8))
        }
    }
}
