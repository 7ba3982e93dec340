import ArgumentParser
import Basics
import Configuration
import Foundation
import HTTPServer
import Models
import ServiceSupport
import Synchronization
import Tokenizer
import Transport
import Weights
import Wire

/// `clusterctl up`: a whole cluster on this machine, started and stopped together.
struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Starts a whole cluster on this machine and stays until Ctrl-C.",
        discussion: """
            Starts coordinator, workers and gateway with certificates of their own, and prints 'ready http://…' once \
            text can be generated ('ready https://…' with --gateway-tls-certificate and --gateway-tls-key). Ctrl-C or \
            SIGTERM stops all of it.

            Settings of the coordinator, the workers and the gateway are options too, e.g. \
            --coordinator-kv-cache-bytes 4GiB; 'coordinator --help', 'worker --help' and 'gateway --help' list them. \
            Threads are not pinned unless asked for: the processes share this machine.
            """)

    @Option(help: "A Hugging Face model directory or a .gguf file.")
    var model: String

    @Option(parsing: .unconditional, help: "Worker processes; 0 computes everything in the coordinator.")
    var workers = 3

    @Option(help: "Where clients connect; port 0 lets the system choose.")
    var listen = "127.0.0.1:8080"

    @Option(
        help:
            "Where certificates, logs and addresses are kept; also COLONY_STATE. (default: ~/.local/state/colony)"
    )
    var state: String?

    @Option(help: "Instruction sets of the workers in turn, e.g. generic,avx2; auto takes the fastest.")
    var workerIsa: String?

    @Option(help: "Memory that each worker offers for experts, e.g. 8GiB. (default: an equal share of what is free)")
    var workerMemory: String?

    @Option(help: "How much the processes write to their logs: trace, debug, info, notice, warning, error.")
    var logLevel = "info"

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var settings: [String] = []

    func run() throws {
        try reporting {
            let signals = SignalWaiter()
            let plan = try makePlan()
            try checkModel()
            let directory = StateDirectory(state)
            try directory.prepare()
            let cluster = LocalCluster(state: directory, plan: plan) { name, how in Self.say("\(name) ended (\(how))") }
            defer { cluster.stop() }
            Self.say("certificates in \(directory.certificatesPath)")
            try cluster.issueCertificates()
            let url = try cluster.start()
            if try waitUntilReady(cluster, at: url, directory, signals) {
                try directory.write(url + "\n", to: directory.gatewayURLPath)
                FileHandle.standardOutput.write(Data("ready \(url)\n".utf8))
                cluster.setReportsEndings(true)
                try watch(cluster, signals)
            }
            Self.say("stopping")
        }
    }

    private func makePlan() throws -> LocalCluster.Plan {
        guard (0...Limits.LocalCluster.workersMax).contains(workers) else {
            throw ValidationError("--workers is \(workers); it must be 0 to \(Limits.LocalCluster.workersMax)")
        }
        do {
            _ = try Endpoint(parsing: listen)
        } catch {
            throw ValidationError("--listen: \(error)")
        }
        let (overrides, rest) = try ConfigurationOption.overrides(from: settings)
        if let unknown = rest.first { throw ConfigurationOption.unknownOption(unknown) }
        var memory: UInt64?
        if let workerMemory {
            guard let bytes = ByteCountText.parse(workerMemory) else {
                throw ValidationError("--worker-memory '\(workerMemory)' is not a size such as 8GiB")
            }
            memory = bytes
        } else if workers > 0 {
            memory = (ProcessMemory.availableBytes() ?? 0) / 10 * 8 / UInt64(workers)
        }
        let choices = try (workerIsa?.split(separator: ",") ?? []).map { word in
            guard let choice = InstructionSetChoice(rawValue: String(word)) else {
                let known = InstructionSetChoice.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--worker-isa '\(word)' is none of \(known)")
            }
            return choice
        }
        return LocalCluster.Plan(
            model: URL(filePath: model).standardizedFileURL.path(percentEncoded: false), workerCount: workers,
            listen: listen, workerInstructionSets: choices, workerMemoryBytes: memory, overrides: overrides,
            logLevel: logLevel)
    }

    /// Finds out what is wrong with a model before anything is started.
    private func checkModel() throws {
        let checkpoint = try Checkpoint.open(model)
        let description = try Registry.describe(checkpoint)
        let files = try ModelText.files(of: model)
        _ = try BPETokenizer(files: files)
        _ = try GenerationDefaults(files: files)
        do {
            _ = try ChatTemplate(files: files)
        } catch TokenizerError.chatTemplateMissing {
            Self.say("the model has no chat template: only /v1/completions will work")
        }
        Self.say(
            """
            model \(checkpoint.name): \(description.family), \(description.layers.count) layers, \
            \(ReadableBytes.text(checkpoint.tensorBytes))
            """
        )
    }

    /// Shows what the cluster waits for until it can generate.
    /// - Returns: false if a signal came first.
    private func waitUntilReady(
        _ cluster: LocalCluster, at url: String, _ directory: StateDirectory, _ signals: SignalWaiter
    ) throws -> Bool {
        let connection = try CoordinatorConnection(stateDirectory: directory.path)
        defer { connection.close() }
        var shown = ""
        while true {
            if let ended = cluster.firstEnded {
                throw CommandFailure(ended.message ?? "\(ended.name) ended (\(ended.how)) while the cluster started")
            }
            let status = try connection.status()
            if status.nodes.first?.state == .dead { throw CommandFailure(status.reason ?? "the coordinator gave up") }
            guard let reason = status.isReady ? gatewayUnavailability(url, status) : status.reason ?? "starting" else {
                return true
            }
            if reason != shown { Self.say(reason) }
            shown = reason
            if signals.wait(timeoutMilliseconds: 100) != nil { return false }
        }
    }

    /// Why the gateway cannot serve clients yet; nil if it can. (It learns of the cluster's state a moment later than
    /// we do. One that serves HTTPS, which our client does not speak, counts as ready once the coordinator knows it.)
    private func gatewayUnavailability(_ url: String, _ status: ClusterStatus) -> String? {
        guard url.hasPrefix("http://"), let endpoint = try? Endpoint(parsing: String(url.dropFirst(7))) else {
            return status.nodes.contains { $0.role == .gateway } ? nil : "the gateway is not connected yet"
        }
        let host = endpoint.host == "0.0.0.0" ? "127.0.0.1" : endpoint.host
        let client = HTTPClient(host: host, port: endpoint.port, timeoutMilliseconds: 2000)
        defer { client.close() }
        do {
            let answer = try client.request(method: "GET", path: "/health")
            guard answer.status != 200 else { return nil }
            return (try? JSON(parsing: answer.body))?["reason"]?.string ?? "the gateway is not ready"
        } catch {
            return "the gateway does not answer: \(error)"
        }
    }

    /// Stays until a signal comes. Workers may come and go; without its coordinator or gateway the cluster is over.
    private func watch(_ cluster: LocalCluster, _ signals: SignalWaiter) throws {
        while signals.wait(timeoutMilliseconds: 200) == nil {
            if let ended = cluster.firstEnded, !ended.name.hasPrefix("worker") {
                throw CommandFailure("\(ended.name) ended (\(ended.how)); the cluster cannot go on without it")
            }
        }
    }

    private static func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}
