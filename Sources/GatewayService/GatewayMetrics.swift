import Basics
import ServiceSupport
import Synchronization

/// What the gateway counts.
final class GatewayMetrics: Sendable {
    /// The status under which requests are counted whose client went away before the answer was complete.
    static let statusOfClientLeft = 499

    private struct RouteStatus: Hashable {
        let route: String
        let status: Int
    }

    private struct State {
        /// Kept here so that counting a request costs no look-up by labels.
        var requests: [RouteStatus: Counter] = [:]
        var openRequests = 0
    }

    private let registry = MetricsRegistry()
    private let promptTokens: Counter
    private let generatedTokens: Counter
    private let openRequests: Gauge
    private let firstToken: Histogram
    private let tokenInterval: Histogram
    private let state = Mutex(State())

    /// `isReady` is asked whenever somebody wants the metrics.
    init(isReady: @escaping @Sendable () -> Bool) {
        promptTokens = registry.counter("colony_gateway_prompt_tokens_total", help: "Tokens of prompts.")
        generatedTokens = registry.counter("colony_gateway_generated_tokens_total", help: "Tokens of answers.")
        openRequests = registry.gauge(
            "colony_gateway_open_requests", help: "Requests for generation in progress.")
        firstToken = registry.histogram(
            "colony_gateway_time_to_first_token_seconds", help: "From a request's arrival to its first token.")
        tokenInterval = registry.histogram(
            "colony_gateway_time_per_output_token_seconds", help: "Mean time per token after the first, by request.")
        registry.gauge("colony_gateway_cluster_ready", help: "1 while the cluster can generate.") {
            isReady() ? 1 : 0
        }
        registry.gauge("colony_gateway_resident_bytes", help: "Memory of the process, in bytes.") {
            Double(ProcessMemory.residentBytes())
        }
    }

    /// Counts an answered request; nil for a path that does not exist.
    func requestEnded(route: GatewayRoute?, status: Int) {
        let key = RouteStatus(route: route?.path ?? "other", status: status)
        let counter = state.withLock { state in
            if let known = state.requests[key] { return known }
            let counter = registry.counter(
                "colony_gateway_requests_total", help: "Requests answered, by path and status.",
                labels: ["route": key.route, "status": String(status)])
            state.requests[key] = counter
            return counter
        }
        counter.increment()
    }

    /// Counts a request for generation in; false (and nothing counted) if too many are open.
    func openRequest() -> Bool {
        let isAdmitted = state.withLock { state in
            guard state.openRequests < Limits.Gateway.openRequestsMax else { return false }
            state.openRequests += 1
            return true
        }
        if isAdmitted { openRequests.add(1) }
        return isAdmitted
    }

    /// Counts it out.
    func closeRequest() {
        state.withLock { $0.openRequests -= 1 }
        openRequests.add(-1)
    }

    func count(_ usage: Usage) {
        promptTokens.increment(by: UInt64(usage.promptTokens))
        generatedTokens.increment(by: UInt64(usage.completionTokens))
    }

    func observeFirstToken(_ duration: Duration) {
        firstToken.observe(duration / .seconds(1))
    }

    /// Records the mean time per token, after the first, of one request.
    func observeTokenInterval(_ duration: Duration) {
        tokenInterval.observe(duration / .seconds(1))
    }

    /// Prometheus' text format.
    var text: String { registry.text() }
}
