import Basics
import Synchronization
import Wire

/// What the gateway counts, as Prometheus text.
final class GatewayMetrics: Sendable {
    /// The status under which requests are counted whose client went away; as nginx counts them.
    static let statusOfClientLeft = 499

    /// A histogram with fixed upper bounds, in seconds.
    private struct Histogram {
        let bounds: [Double]
        var counts: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0

        init(_ bounds: [Double]) {
            self.bounds = bounds
            counts = Array(repeating: 0, count: bounds.count)
        }

        mutating func observe(_ value: Double) {
            sum += value
            count += 1
            if let index = bounds.firstIndex(where: { value <= $0 }) { counts[index] += 1 }
        }

        func text(_ name: String, _ help: String) -> String {
            var text = "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
            var cumulative: UInt64 = 0
            for (bound, count) in zip(bounds, counts) {
                cumulative += count
                text += "\(name)_bucket{le=\"\(bound)\"} \(cumulative)\n"
            }
            return text + "\(name)_bucket{le=\"+Inf\"} \(count)\n\(name)_sum \(sum)\n\(name)_count \(count)\n"
        }
    }

    private struct RouteStatus: Hashable, Comparable {
        let route: String
        let status: Int
        static func < (left: Self, right: Self) -> Bool {
            (left.route, left.status) < (right.route, right.status)
        }
    }

    private struct State {
        var requests: [RouteStatus: UInt64] = [:]
        var promptTokens = 0
        var completionTokens = 0
        var openRequests = 0
        var firstToken = Histogram([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])
        var tokenInterval = Histogram([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5])
    }

    private let state = Mutex(State())

    /// Counts an answered request; nil for a path that does not exist.
    func requestEnded(route: GatewayRoute?, status: Int) {
        let key = RouteStatus(route: route?.path ?? "other", status: status)
        state.withLock { $0.requests[key, default: 0] += 1 }
    }

    /// Counts requests for generation in and out; false (and nothing counted) if too many are open.
    func openRequest() -> Bool {
        state.withLock { state in
            guard state.openRequests < Limits.Gateway.openRequestsMax else { return false }
            state.openRequests += 1
            return true
        }
    }

    func closeRequest() {
        state.withLock { $0.openRequests -= 1 }
    }

    func count(_ usage: Usage) {
        state.withLock { state in
            state.promptTokens += usage.promptTokens
            state.completionTokens += usage.completionTokens
        }
    }

    func observeFirstToken(_ duration: Duration) {
        state.withLock { $0.firstToken.observe(duration / .seconds(1)) }
    }

    /// Records the mean time per token, after the first, of one request.
    func observeTokenInterval(_ duration: Duration) {
        state.withLock { $0.tokenInterval.observe(duration / .seconds(1)) }
    }

    /// The Prometheus exposition format, with whether the cluster can generate.
    func text(isReady: Bool) -> String {
        let state = self.state.withLock { $0 }
        var text = "# HELP colony_gateway_requests_total Requests answered, by path and status.\n"
        text += "# TYPE colony_gateway_requests_total counter\n"
        for (key, count) in state.requests.sorted(by: { $0.key < $1.key }) {
            text += "colony_gateway_requests_total{route=\"\(key.route)\",status=\"\(key.status)\"} \(count)\n"
        }
        text += GatewayMetrics.single(
            "colony_gateway_prompt_tokens_total", "counter", "Tokens of prompts.", state.promptTokens)
        text += GatewayMetrics.single(
            "colony_gateway_generated_tokens_total", "counter", "Tokens of answers.", state.completionTokens)
        text += GatewayMetrics.single(
            "colony_gateway_open_requests", "gauge", "Requests for generation in progress.", state.openRequests)
        text += GatewayMetrics.single(
            "colony_gateway_cluster_ready", "gauge", "1 while the cluster can generate.", isReady ? 1 : 0)
        text += state.firstToken.text(
            "colony_gateway_time_to_first_token_seconds", "From a request's arrival to its first token.")
        text += state.tokenInterval.text(
            "colony_gateway_time_per_output_token_seconds", "Mean time per token after the first, by request.")
        return text
    }

    private static func single(_ name: String, _ type: String, _ help: String, _ value: Int) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
    }
}
