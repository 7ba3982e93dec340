import ServiceSupport
import Wire

/// The state of the cluster as metrics, beside the gateway's own: coordinator and workers speak no HTTP, so whoever
/// scrapes a gateway learns of them there.
enum ClusterMetrics {
    /// Prometheus' text format.
    static func text(_ status: ClusterStatus) -> String {
        let registry = MetricsRegistry()
        for node in status.nodes { describe(node, registry) }
        describe(status.work, registry)
        return registry.text()
    }

    private static func describe(_ node: ClusterStatus.Node, _ registry: MetricsRegistry) {
        func gauge(_ name: String, _ help: String, _ value: Double) {
            registry.gauge(
                "colony_node_" + name, help: help, labels: ["node": node.name, "role": node.role.rawValue]
            ) { value }
        }
        gauge("ready", "1 while the node does its part.", node.state == .ready ? 1 : 0)
        gauge("resident_bytes", "Memory of the node's process, in bytes.", Double(node.residentBytes))
        guard node.role == .worker else { return }
        describe(worker: node, registry)
        gauge("shards", "Shards that the worker hosts.", Double(node.shardCount))
        gauge("shard_bytes", "Bytes of weights that the worker hosts.", Double(node.shardBytes))
        gauge("load_ratio", "Share of the last seconds that the worker computed.", node.load)
        if let milliseconds = node.roundTripMilliseconds {
            gauge("round_trip_seconds", "Median round trip of the last heartbeats.", milliseconds / 1000)
        }
    }

    /// What the worker counts itself; it begins anew when it is started again.
    private static func describe(worker node: ClusterStatus.Node, _ registry: MetricsRegistry) {
        func counter(_ name: String, _ help: String, _ value: UInt64?) {
            guard let value else { return }
            registry.counter(
                "colony_node_" + name, help: help, labels: ["node": node.name, "role": node.role.rawValue]
            ) { value }
        }
        counter("dispatches_total", "Dispatches that the worker answered.", node.dispatches)
        counter("expert_rows_total", "Rows that the worker's experts computed.", node.expertRows)
        counter("compute_microseconds_total", "Time that the worker computed.", node.computeMicroseconds)
    }

    private static func describe(_ work: ClusterStatus.Work, _ registry: MetricsRegistry) {
        func gauge(_ name: String, _ help: String, _ value: Int) {
            registry.gauge("colony_" + name, help: help) { Double(value) }
        }
        func counter(_ name: String, _ help: String, _ value: UInt64) {
            registry.counter("colony_" + name, help: help) { value }
        }
        gauge("running_sequences", "Sequences in the running batch.", work.runningSequences)
        gauge("waiting_sequences", "Sequences that wait for a place in it.", work.waitingSequences)
        gauge("cached_tokens", "Positions of the key-value cache in use.", work.cachedTokens)
        gauge("cached_tokens_max", "Positions that the key-value cache has room for.", work.cachedTokensMax)
        counter("generated_tokens_total", "Tokens generated.", work.generatedTokens)
        counter("prompt_tokens_total", "Prompt tokens computed.", work.promptTokens)
        counter("requests_total", "Requests accepted by the coordinator.", work.requests)
        counter("failed_requests_total", "Requests that ended with an error.", work.failedRequests)
        if let steps = work.steps { counter("steps_total", "Steps run.", steps) }
        for (phase, seconds) in work.phaseSeconds ?? [:] {
            registry.gauge(
                "colony_step_phase_seconds", help: "Seconds spent in a phase of the steps since the start.",
                labels: ["phase": phase]
            ) { seconds }
        }
    }
}
