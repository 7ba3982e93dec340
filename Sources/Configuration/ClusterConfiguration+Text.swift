import Basics

extension ClusterConfiguration {
    /// The configuration as a file that `load` reads back to the same values; relative paths are written as they are.
    public func text() -> String {
        var lines: [String] = []
        lines.append("model: \(quoted(model))")
        if let modelName { lines.append("model_name: \(quoted(modelName))") }
        lines.append("certificates: \(quoted(certificates))")
        if let weightCache { lines.append("weight_cache: \(quoted(weightCache))") }
        if let weightCacheBytes { lines.append("weight_cache_bytes: \(weightCacheBytes)") }
        lines.append("coordinator:")
        lines += coordinator.entries.map { "  \($0): \($1)" }
        lines.append(workers.isEmpty ? "workers: []" : "workers:")
        for worker in workers {
            lines += worker.entries.enumerated().map { "  \($0 == 0 ? "-" : " ") \($1.0): \($1.1)" }
        }
        lines.append("gateway:")
        lines += gateway.entries.map { "  \($0): \($1)" }
        lines.append("log:")
        lines += ["  level: \(log.level)", "  format: \(log.format)"]
        return lines.joined(separator: "\n") + "\n"
    }
}

/// A JSON string is a YAML string too.
private func quoted(_ text: String) -> String { JSON.string(text).serialised() }

extension ClusterConfiguration.Coordinator {
    fileprivate var entries: [(String, String)] {
        [
            ("node", quoted(node.value)), ("address", quoted(address)), ("threads", "\(threads)"),
            ("pinning", pinning.rawValue), ("huge_pages", hugePages.rawValue),
            ("instruction_set", instructionSet.rawValue), ("context_tokens_max", "\(contextTokensMax)"),
            ("kv_cache_bytes", "\(kvCacheBytes)"), ("kv_cache_format", kvCacheFormat.rawValue),
            ("activations", activations.rawValue), ("results", results.rawValue),
            ("batch_sequences_max", "\(batchSequencesMax)"),
            ("prefill_chunk_tokens", "\(prefillChunkTokens)"), ("waiting_sequences_max", "\(waitingSequencesMax)"),
            ("spin_microseconds", "\(spinMicroseconds)"), ("busy_poll_microseconds", "\(busyPollMicroseconds)"),
            ("dispatch_timeout_milliseconds", "\(dispatchTimeoutMilliseconds)"),
        ]
    }
}

extension ClusterConfiguration.Worker {
    fileprivate var entries: [(String, String)] {
        [("node", quoted(node.value)), ("address", quoted(address))]
            + (memoryBytes.map { [("memory", "\($0)")] } ?? [])
            + [
                ("threads", "\(threads)"), ("pinning", pinning.rawValue), ("huge_pages", hugePages.rawValue),
                ("instruction_set", instructionSet.rawValue),
                ("spin_microseconds", "\(spinMicroseconds)"), ("busy_poll_microseconds", "\(busyPollMicroseconds)"),
            ]
    }
}

extension ClusterConfiguration.Gateway {
    fileprivate var entries: [(String, String)] {
        [("node", quoted(node.value)), ("address", quoted(address))]
            + (tlsCertificate.map { [("tls_certificate", quoted($0))] } ?? [])
            + (tlsKey.map { [("tls_key", quoted($0))] } ?? [])
            + [
                ("queue_count", "\(queueCount)"), ("connections_max", "\(connectionsMax)"),
                ("streams_per_connection_max", "\(streamsPerConnectionMax)"),
                ("header_bytes_max", "\(headerBytesMax)"), ("body_bytes_max", "\(bodyBytesMax)"),
                ("header_timeout_milliseconds", "\(headerTimeoutMilliseconds)"),
                ("body_timeout_milliseconds", "\(bodyTimeoutMilliseconds)"),
                ("idle_timeout_milliseconds", "\(idleTimeoutMilliseconds)"),
                ("write_stall_timeout_milliseconds", "\(writeStallTimeoutMilliseconds)"),
                ("request_timeout_milliseconds", "\(requestTimeoutMilliseconds)"),
            ]
    }
}
