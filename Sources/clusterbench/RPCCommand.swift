import ArgumentParser
import Basics
import Foundation
import Kernels
import Transport
import Wire

/// `clusterbench rpc`: what a round trip costs, over links and over what links are made of.
struct RPCCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc", abstract: "Measures round trips between two processes over the real transport.",
        discussion: """
            Frames go to a child process and back: over plain TCP, over TLS on a blocking socket, and over Colony's \
            links, each in turn, several rounds of all. Ratios are made round by round.
            """)

    @Option(name: .long, help: "Payload sizes in bytes, separated by commas.")
    var sizes = "14336,65536,1048576"

    @Option(name: .long, help: "Round trips of each mode and size.")
    var count = 2000

    @Option(name: .long, help: "How long a receiver that polls looks for data before it sleeps, in microseconds.")
    var busyPoll = 200

    @Option(name: .long, help: "Rounds in which the modes alternate.")
    var rounds = 5

    @Option(name: .long, help: "Most time for one round of one mode and size, in milliseconds.")
    var roundMilliseconds = 500

    @Flag(name: .long, help: "Run the two processes on processors 0 and 1.")
    var pin = false

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private var byteCounts: [Int] { sizes.split(separator: ",").compactMap { Int($0) } }

    func validate() throws {
        let parts = sizes.split(separator: ",")
        guard !parts.isEmpty, byteCounts.count == parts.count,
            byteCounts.allSatisfy({ (0...Limits.Wire.echoPayloadBytesMax).contains($0) })
        else { throw ValidationError("sizes are numbers from 0 to \(Limits.Wire.echoPayloadBytesMax)") }
        guard (1...1_000_000).contains(count), (1...100).contains(rounds), (1...60000).contains(roundMilliseconds)
        else {
            throw ValidationError(
                "count is from 1 to 1000000, rounds from 1 to 100, round-milliseconds from 1 to 60000")
        }
        guard (1...1_000_000).contains(busyPoll) else {
            throw ValidationError("busy-poll is from 1 to 1000000 microseconds")
        }
    }

    func run() throws {
        if pin, !Processors.bindThread(to: [ProcessorID(0)]) {
            throw MeasurementError("cannot run on processor 0 only")
        }
        let directory = NSTemporaryDirectory() + "clusterbench-rpc-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let authority = try CertificateAuthority.create(directory: directory + "/authority")
        try authority.issue(node: NodeID("client"), role: .coordinator, into: directory + "/client")
        try authority.issue(node: NodeID("server"), role: .worker, into: directory + "/server")
        let server = try RPCServer(
            directory: directory + "/server", busyPollMicroseconds: busyPoll, processor: pin ? 1 : nil)
        defer { server.stop() }
        let modes = try connect(server.ports, directory: directory + "/client")
        let results = try byteCounts.map { try measure($0, modes) }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            print(String(decoding: try encoder.encode(results), as: UTF8.self))
        } else {
            for result in results { print(result.table) }
        }
    }

    private func connect(_ ports: RPCPorts, directory: String) throws -> [RPCMode] {
        let identity = try NodeIdentity.load(directory: directory)
        let link = try dial(ports.link, identity, busyPollMicroseconds: 0)
        let linkBusy = try dial(ports.linkBusy, identity, busyPollMicroseconds: busyPoll)
        let tls = try BlockingTLS(socket: try PlainSocket(port: ports.tls), directory: directory, isServer: false)
        let plainBusy = try PlainSocket(port: ports.plainBusy, busyPollMicroseconds: busyPoll)
        return [
            .plain(try PlainSocket(port: ports.plain), name: "plain TCP, blocking", key: "plain"),
            .plain(plainBusy, name: "plain TCP, busy-poll \(busyPoll) us", key: "plainBusy"),
            .tls(tls, name: "TLS 1.3 on a blocking socket", key: "tls"),
            .link(link, name: "link", key: "link"),
            .link(linkBusy, name: "link, busy-poll \(busyPoll) us", key: "linkBusy"),
        ]
    }

    private func dial(_ port: UInt16, _ identity: NodeIdentity, busyPollMicroseconds: Int) throws -> Link {
        try Link.dial(
            Endpoint(host: "127.0.0.1", port: port), identity: identity, linkClass: .activations,
            expectedRole: .worker, expectedNode: NodeID("server"),
            options: LinkOptions(busyPollMicroseconds: busyPollMicroseconds)
        ).link
    }

    private func measure(_ byteCount: Int, _ modes: [RPCMode]) throws -> RPCResult {
        var samples: [String: RPCSamples] = [:]
        for _ in 0..<rounds {
            for mode in modes {
                let round = try mode.measure(
                    byteCount: byteCount, count: (count + rounds - 1) / rounds,
                    microsecondsMax: Double(roundMilliseconds) * 1000)
                samples[mode.key, default: RPCSamples()].add(round: round)
            }
        }
        return RPCResult(byteCount: byteCount, modes: modes, samples: samples)
    }
}

/// All modes with one size.
struct RPCResult: Codable {
    struct Mode: Codable {
        let name: String
        let key: String
        let medianMicroseconds: Double
        let p99Microseconds: Double
        let roundTripCount: Int
    }

    let byteCount: Int
    let modes: [Mode]
    /// Of a link to TLS on a blocking socket.
    let linkToTLS: RPCRatio
    /// Of a link that polls to plain TCP that polls.
    let busyLinkToBusyPlain: RPCRatio

    init(byteCount: Int, modes: [RPCMode], samples: [String: RPCSamples]) {
        self.byteCount = byteCount
        self.modes = modes.map { mode in
            let samples = samples[mode.key] ?? RPCSamples()
            return Mode(
                name: mode.name, key: mode.key, medianMicroseconds: samples.median, p99Microseconds: samples.p99,
                roundTripCount: samples.all.count)
        }
        let none = RPCSamples()
        linkToTLS = RPCRatio(samples["link"] ?? none, to: samples["tls"] ?? none)
        busyLinkToBusyPlain = RPCRatio(samples["linkBusy"] ?? none, to: samples["plainBusy"] ?? none)
    }

    /// The result for people.
    var table: String {
        var lines = ["\(byteCount) bytes, round trip in microseconds"]
        for mode in modes {
            let name = mode.name.padding(toLength: 32, withPad: " ", startingAt: 0)
            let values = String(format: "median %8.1f   p99 %8.1f", mode.medianMicroseconds, mode.p99Microseconds)
            lines.append("  \(name) \(values)   (\(mode.roundTripCount) round trips)")
        }
        lines.append("  link / TLS on a blocking socket           \(Self.text(linkToTLS))")
        lines.append("  link, busy-poll / plain TCP, busy-poll    \(Self.text(busyLinkToBusyPlain))")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func text(_ ratio: RPCRatio) -> String {
        String(format: "%.2f (rounds: %.2f to %.2f)", ratio.median, ratio.smallest, ratio.largest)
    }
}

/// The child process.
private final class RPCServer {
    let ports: RPCPorts
    private let process = Process()
    private let input = Pipe()

    init(directory: String, busyPollMicroseconds: Int, processor: Int?) throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["rpc-server", "--directory", directory, "--busy-poll", String(busyPollMicroseconds)]
        if let processor { process.arguments?.append(contentsOf: ["--pin", String(processor)]) }
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while !line.contains(10), let more = try output.fileHandleForReading.read(upToCount: 1), !more.isEmpty {
            line.append(more)
        }
        guard !line.isEmpty else { throw MeasurementError("the server did not start") }
        ports = try JSONDecoder().decode(RPCPorts.self, from: line)
    }

    /// Ends the child and waits for it.
    func stop() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
