import Basics
import Foundation
import HTTPServer
import Synchronization

/// What a run is to do.
struct LoadPlan: Sendable {
    let host: String
    let port: UInt16
    /// Threads, each with one request in flight.
    let concurrency: Int
    /// Arrivals per second; nil: each thread sends its next request when the last was answered.
    let rate: Double?
    let requestCount: Int
    /// No request is sent after so long.
    let seconds: Int
    let promptTokens: Int
    let outputTokens: Int
    let seed: UInt64
    let temperature: Double
    let streams: Bool
    let vocabularySize: Int

    /// The body of the request `index`.
    func body(_ index: Int) -> [UInt8] {
        var random = CountedRandom(seed: seed, stream: UInt64(index))
        let prompt = (0..<promptTokens).map { _ in
            JSON.integer(Int64(random.next() % UInt64(max(vocabularySize, 1))))
        }
        let base: JSON = [
            "model": "default", "prompt": .array(prompt), "max_tokens": .integer(Int64(outputTokens)),
            "ignore_eos": true, "temperature": .double(temperature), "seed": .integer(Int64(index)),
            // Every token is an event then, also one that has no text of its own.
            "stream": .bool(streams), "return_token_ids": true,
        ]
        guard streams else { return Array(base.serialised().utf8) }
        // The usage comes with the last event.
        return Array((base.serialised().dropLast() + #","stream_options":{"include_usage":true}}"#).utf8)
    }

    /// When each request arrives, in seconds from the start; empty without a rate.
    func arrivals() -> [Double] {
        guard let rate else { return [] }
        var random = CountedRandom(seed: seed, stream: .max)
        var time = 0.0
        return (0..<requestCount).map { _ in
            time -= Foundation.log(1 - random.nextUnit()) / rate
            return time
        }
    }
}

/// Random numbers that depend on nothing but a seed and the number of a stream.
struct CountedRandom {
    private var state: UInt64

    init(seed: UInt64, stream: UInt64) {
        state = seed &+ (stream &+ 1) &* 0xD134_2543_DE82_EF95
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but not including, 1.
    mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// What became of one request.
struct RequestOutcome: Sendable {
    /// Seconds from the request's arrival to the first token; nil without streaming.
    var firstTokenSeconds: Double?
    /// Seconds from the first token to the last.
    var generationSeconds: Double?
    /// Seconds from the request's arrival to the end of its answer.
    var totalSeconds = 0.0
    var promptTokens = 0
    var outputTokens = 0
    /// Why it failed; nil if it did not.
    var failure: String?
}

/// The measured requests and how long all of them took.
struct LoadOutcome: Sendable {
    var requests: [RequestOutcome] = []
    var seconds = 0.0
}

/// Sends the requests, each thread with a connection of its own.
final class LoadRun: Sendable {
    private struct State {
        var nextIndex = 0
        var outcomes: [RequestOutcome] = []
    }

    private let plan: LoadPlan
    private let arrivals: [Double]
    private let state = Mutex(State())
    private let start = ContinuousClock.now

    init(_ plan: LoadPlan) {
        self.plan = plan
        arrivals = plan.arrivals()
    }

    /// Runs to the end; blocks.
    func run() -> LoadOutcome {
        let group = DispatchGroup()
        for index in 0..<min(plan.concurrency, plan.requestCount) {
            group.enter()
            let thread = Thread { [self] in
                sendRequests()
                group.leave()
            }
            thread.name = "load.\(index)"
            thread.start()
        }
        group.wait()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return LoadOutcome(requests: state.withLock { $0.outcomes }, seconds: seconds)
    }

    private func sendRequests() {
        let client = HTTPClient(
            host: plan.host, port: plan.port, timeoutMilliseconds: Limits.Gateway.clientTimeoutMilliseconds)
        while let index = takeIndex() {
            let arrival = waitForArrival(index)
            let outcome = send(index, client, arrival: arrival)
            state.withLock { $0.outcomes.append(outcome) }
        }
    }

    private func takeIndex() -> Int? {
        guard ContinuousClock.now - start < .seconds(plan.seconds) else { return nil }
        return state.withLock { state in
            guard state.nextIndex < plan.requestCount else { return nil }
            defer { state.nextIndex += 1 }
            return state.nextIndex
        }
    }

    private func waitForArrival(_ index: Int) -> ContinuousClock.Instant {
        guard index < arrivals.count else { return .now }
        let arrival = start + .seconds(arrivals[index])
        let wait = (arrival - .now) / .seconds(1)
        if wait > 0 { Thread.sleep(forTimeInterval: wait) }
        return arrival
    }

    private func send(_ index: Int, _ client: HTTPClient, arrival: ContinuousClock.Instant) -> RequestOutcome {
        var recorder = AnswerRecorder(arrival: arrival)
        let body = plan.body(index)
        do throws(HTTPError) {
            try client.stream(
                method: "POST", path: "/v1/completions", headers: [("content-type", "application/json")], body: body,
                onHead: { recorder.begin($0) }, onChunk: { recorder.append($0) })
            return recorder.finish()
        } catch {
            var outcome = recorder.finish()
            outcome.failure =
                switch error {
                case .connectionFailed, .hostUnknown: "cannot connect"
                case .connectionClosed: "connection closed"
                case .timedOut: "timed out"
                default: "\(error)"
                }
            return outcome
        }
    }
}

/// Reads one answer and keeps the times.
private struct AnswerRecorder {
    private let arrival: ContinuousClock.Instant
    private var reader = ServerSentEventReader()
    private var status = 0
    private var isStream = false
    private var isDone = false
    private var body: [UInt8] = []
    private var first: ContinuousClock.Instant?
    private var last: ContinuousClock.Instant?
    private var outcome = RequestOutcome()

    init(arrival: ContinuousClock.Instant) { self.arrival = arrival }

    mutating func begin(_ head: HTTPClientResponse) {
        status = head.status
        isStream = head.headers["content-type"]?.hasPrefix("text/event-stream") == true
    }

    mutating func append(_ bytes: [UInt8]) -> Bool {
        guard isStream else {
            body += bytes
            return true
        }
        for event in reader.append(bytes) {
            if event == "[DONE]" {
                isDone = true
            } else if let json = try? JSON(parsing: event) {
                take(json)
            }
        }
        return true
    }

    mutating func finish() -> RequestOutcome {
        let end = ContinuousClock.now
        if !isStream {
            let json = (try? JSON(parsing: body)) ?? .null
            take(json)
            isDone = status == 200
            if !isDone { outcome.failure = "status \(status)" }
        }
        if !isDone, outcome.failure == nil { outcome.failure = "answer broke off" }
        outcome.totalSeconds = (end - arrival) / .seconds(1)
        if isStream, let first, let last {
            outcome.firstTokenSeconds = (first - arrival) / .seconds(1)
            outcome.generationSeconds = (last - first) / .seconds(1)
        }
        return outcome
    }

    private mutating func take(_ json: JSON) {
        if let error = json["error"] {
            let code = error["code"]?.string ?? error["type"]?.string ?? "error"
            outcome.failure = "in the stream: \(code)"
        }
        if json["choices"]?.array?.isEmpty == false {
            last = .now
            first = first ?? last
        }
        if let usage = json["usage"], !usage.isNull {
            outcome.promptTokens = usage["prompt_tokens"]?.integer ?? 0
            outcome.outputTokens = usage["completion_tokens"]?.integer ?? 0
        }
    }
}
