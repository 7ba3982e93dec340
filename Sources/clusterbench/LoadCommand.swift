import ArgumentParser
import Basics
import Foundation
import HTTPServer

/// `clusterbench load`: many requests through the gateway, and how long they take.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Sends many requests to a gateway and reports latencies and throughput.",
        discussion: """
            With --concurrency, so many requests are always in flight. With --rate, requests arrive at random times \
            with this mean rate whether or not earlier ones are answered, and times count from the arrival.

            Prompts are random token ids, different in each request; answers run to their full length.
            Exit codes: 0 done, 1 requests failed, 2 bad usage, 3 cannot reach the gateway.
            """)

    @Option(help: "The gateway.")
    var url = "http://127.0.0.1:8080"

    @Option(help: "Requests in flight; with --rate the most that may be.")
    var concurrency: Int?

    @Option(help: "Requests per second.")
    var rate: Double?

    @Option(help: "Requests in all.")
    var requests = 64

    @Option(help: "Stop to send after so many seconds.")
    var seconds = 600

    @Option(help: "Tokens of each prompt.")
    var promptTokens = 128

    @Option(help: "Tokens of each answer.")
    var outputTokens = 64

    @Option(help: "Prompts, arrival times and sampling follow from it.")
    var seed: UInt64 = 0

    @Option(help: "Temperature of the sampling.")
    var temperature = 0.0

    @Flag(inversion: .prefixedNo, help: "Stream the answers; without, there is no time to the first token.")
    var stream = true

    @Flag(help: "Print one JSON document instead of a table.")
    var json = false

    func validate() throws {
        typealias Bounds = Limits.LoadGenerator
        try check("--concurrency", concurrency ?? 1, 1...Bounds.concurrencyMax)
        try check("--requests", requests, 1...Bounds.requestsMax)
        try check("--seconds", seconds, 1...Bounds.secondsMax)
        try check("--prompt-tokens", promptTokens, 1...Bounds.tokensMax)
        try check("--output-tokens", outputTokens, 1...Bounds.tokensMax)
        if let rate, !(rate > 0 && rate <= Bounds.rateMax) {
            throw ValidationError("--rate is \(rate); it must be above 0 and at most \(Bounds.rateMax)")
        }
        guard temperature >= 0, temperature <= Limits.Gateway.temperatureMax else {
            throw ValidationError(
                "--temperature is \(temperature); it must be from 0 to \(Limits.Gateway.temperatureMax)")
        }
    }

    private func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
            throw ValidationError("\(name) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    func run() throws {
        guard let components = URLComponents(string: url), components.scheme == "http", let host = components.host,
            let port = UInt16(exactly: components.port ?? 80)
        else {
            throw fail("'\(url)' is not a URL such as http://127.0.0.1:8080", ExitCode(2))
        }
        let plan = LoadPlan(
            host: host, port: port, concurrency: concurrency ?? (rate == nil ? 8 : 256), rate: rate,
            requestCount: requests, seconds: seconds, promptTokens: promptTokens, outputTokens: outputTokens,
            seed: seed, temperature: temperature, streams: stream, vocabularySize: try vocabularySize(host, port))
        let report = LoadReport(plan: plan, outcome: LoadRun(plan).run())
        print(json ? report.json.serialised(.indented) : report.table)
        if !report.failures.isEmpty { throw ExitCode(1) }
    }

    /// Asks which token ids there are.
    private func vocabularySize(_ host: String, _ port: UInt16) throws -> Int {
        let response: HTTPClientResponse
        do {
            response = try HTTPClient(host: host, port: port).request(method: "GET", path: "/v1/models")
        } catch {
            throw fail("cannot reach the gateway: \(error)", ExitCode(3))
        }
        let json = (try? JSON(parsing: response.body)) ?? .null
        guard response.status == 200 else {
            let reason = json["error"]?["message"]?.string ?? "status \(response.status)"
            throw fail("the gateway cannot generate: \(reason)", ExitCode(1))
        }
        return json["data"]?.array?.first?["vocabulary_size"]?.integer ?? 256
    }

    private func fail(_ message: String, _ code: ExitCode) -> ExitCode {
        FileHandle.standardError.write(Data("clusterbench load: \(message)\n".utf8))
        return code
    }
}
