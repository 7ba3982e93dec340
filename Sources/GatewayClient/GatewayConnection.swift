import Basics
import HTTPServer

/// Asks one gateway, blocking the calling thread. Not for several threads at once.
public final class GatewayConnection {
    /// Whether the cluster can generate.
    public enum Availability: Equatable, Sendable {
        /// It can.
        case ready
        /// Not now; with the reason, which says how far loading is.
        case unavailable(reason: String)
    }

    /// Where the gateway is, `host:port`.
    public let address: String
    private let client: HTTPClient
    private let prober: HTTPClient

    /// A connection to the gateway at `host` and `port`. Once `interruptDescriptor` is readable, whatever waits ends
    /// with `GatewayFailure.interrupted`.
    public init(host: String, port: UInt16, interruptDescriptor: Int32? = nil) {
        address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        client = HTTPClient(
            host: host, port: port, timeoutMilliseconds: Limits.Gateway.clientTimeoutMilliseconds,
            interruptDescriptor: interruptDescriptor)
        prober = HTTPClient(
            host: host, port: port, timeoutMilliseconds: Limits.GatewayClient.probeTimeoutMilliseconds,
            interruptDescriptor: interruptDescriptor)
    }

    /// Asks for an answer; `onReasoning` and `onText` get each piece of reasoning and text as it comes.
    public func generate(
        _ request: GenerationRequest, onReasoning: (String) -> Void = { _ in }, onText: (String) -> Void
    ) throws(GatewayFailure) -> Answer {
        var reader = AnswerReader(status: 0, contentType: nil)
        var collector = AnswerCollector()
        do throws(HTTPError) {
            try client.stream(
                method: "POST", path: request.path, headers: [("content-type", "application/json")],
                body: Array(request.json.serialised().utf8),
                onHead: { reader = AnswerReader(status: $0.status, contentType: $0.headers["content-type"]) },
                onChunk: { bytes in
                    for event in reader.append(bytes) { collector.take(event, onReasoning, onText) }
                    return true
                })
        } catch {
            throw GatewayFailure(error, address: address)
        }
        for event in reader.end() { collector.take(event, onReasoning, onText) }
        return try collector.finish()
    }

    /// Asks whether the cluster can generate.
    public func availability() throws(GatewayFailure) -> Availability {
        let answer = try get("/health")
        if answer.status == 200 { return .ready }
        let reason = (try? JSON(parsing: answer.body))?["reason"]?.string
        return .unavailable(reason: reason ?? "the gateway answered with status \(answer.status)")
    }

    /// Asks what is served, and by how many.
    public func summary() throws(GatewayFailure) -> ClusterSummary {
        let answer = try get("/cluster")
        guard answer.status == 200, let json = try? JSON(parsing: answer.body) else {
            throw .malformedAnswer(reason: "status \(answer.status) for /cluster")
        }
        return ClusterSummary(json)
    }

    private func get(_ path: String) throws(GatewayFailure) -> HTTPClientResponse {
        do throws(HTTPError) {
            return try prober.request(method: "GET", path: path)
        } catch {
            throw GatewayFailure(error, address: address)
        }
    }
}

/// Puts an answer together, with the times.
private struct AnswerCollector {
    private let begin = ContinuousClock.now
    private var answer = Answer()
    private var failure: GatewayFailure?

    mutating func take(
        _ event: AnswerReader.Event, _ onReasoning: (String) -> Void, _ onText: (String) -> Void
    ) {
        // What follows a failure is not part of the answer.
        guard failure == nil else { return }
        switch event {
        case .failed(let found): failure = found
        case .finished(let reason): answer.finishReason = reason
        case .reasoning(let text):
            if answer.secondsToFirstText == nil { answer.secondsToFirstText = elapsedSeconds }
            answer.reasoning += text
            onReasoning(text)
        case .text(let text):
            if answer.secondsToFirstText == nil { answer.secondsToFirstText = elapsedSeconds }
            answer.text += text
            onText(text)
        case .usage(let usage): answer.usage = usage
        }
    }

    mutating func finish() throws(GatewayFailure) -> Answer {
        if let failure { throw failure }
        answer.seconds = elapsedSeconds
        return answer
    }

    private var elapsedSeconds: Double { (ContinuousClock.now - begin) / .seconds(1) }
}
