import Basics

extension ClusterConfiguration {
    /// Reads a configuration. What `overrides` say (values by key, from a command line: see
    /// `ConfigurationOption.overrides`) goes before `environment` (`COLONY_…`), that before the file at `path` (none if
    /// nil), that before the defaults. An override of `workers[].…` counts for every worker, as seen by this process.
    public static func load(
        path: String?, environment: [String: String], overrides: [String: String] = [:]
    ) throws(ConfigurationError) -> ClusterConfiguration {
        let file = try path.map { path throws(ConfigurationError) in try ConfigurationFile(reading: path) }
        let reader = ConfigurationReader(
            file: file ?? ConfigurationFile(), environment: environment, overrides: overrides)
        for key in overrides.keys.sorted() where ConfigurationOption.find(key)?.isOverridable != true {
            throw .optionUnknown(option: key, suggestion: nil)
        }
        var configuration = ClusterConfiguration(
            model: try reader.path("model"), certificates: try reader.path("certificates"))
        configuration.modelName = try reader.textIfSet("model_name")
        configuration.weightCache = try reader.pathIfSet("weight_cache")
        configuration.weightCacheBytes = try reader.byteCountIfSet("weight_cache_bytes")
        configuration.coordinator = try Coordinator(reader)
        for position in reader.file.workerLines.indices {
            configuration.workers.append(try Worker(reader, position: position))
        }
        configuration.gateway = try Gateway(reader)
        configuration.log.level = try reader.choice("log.level")
        configuration.log.format = try reader.choice("log.format")
        try configuration.check(reader)
        return configuration
    }

    /// What no value can show alone: names and addresses that occur twice, half a TLS identity.
    private func check(_ reader: ConfigurationReader) throws(ConfigurationError) {
        typealias Place = (text: String, key: String, option: String, position: Int?)
        func places(_ name: String, _ text: (Worker) -> String) -> [Place] {
            workers.enumerated().map { position, worker in
                (text(worker), "workers[\(position)].\(name)", "workers[].\(name)", position)
            }
        }
        let names: [Place] =
            [
                (coordinator.node.value, "coordinator.node", "coordinator.node", nil),
                (gateway.node.value, "gateway.node", "gateway.node", nil),
            ] + places("node") { $0.node.value }
        let addresses: [Place] =
            [
                (coordinator.address, "coordinator.address", "coordinator.address", nil),
                (gateway.address, "gateway.address", "gateway.address", nil),
            ] + places("address") { $0.address }
        for list in [names, addresses] {
            var seen: [String: String] = [:]
            // A port of 0 is chosen by the system, a different one each time.
            for place in list where !place.text.hasSuffix(":0") {
                if let other = seen.updateValue(place.key, forKey: place.text) {
                    throw .valuesConflict(
                        key: place.key, source: reader.source(place.option, position: place.position),
                        reason: "\(other) is \"\(place.text)\" too")
                }
            }
        }
        if (gateway.tlsCertificate == nil) != (gateway.tlsKey == nil) {
            let (present, absent) =
                gateway.tlsKey == nil
                ? ("gateway.tls_certificate", "gateway.tls_key") : ("gateway.tls_key", "gateway.tls_certificate")
            throw .valuesConflict(key: present, source: reader.source(present), reason: "it needs \(absent) beside it")
        }
    }
}

extension ClusterConfiguration.Coordinator {
    fileprivate init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        self.init()
        node = try reader.node("coordinator.node")
        address = try reader.endpoint("coordinator.address")
        threads = try reader.integer("coordinator.threads")
        pinning = try reader.pinning("coordinator.pinning")
        hugePages = try reader.hugePages("coordinator.huge_pages")
        instructionSet = try reader.instructionSet("coordinator.instruction_set")
        contextTokensMax = try reader.integer("coordinator.context_tokens_max")
        kvCacheBytes = try reader.byteCount("coordinator.kv_cache_bytes")
        kvCacheFormat = try reader.keyValueFormat("coordinator.kv_cache_format")
        activations = try reader.activations("coordinator.activations")
        results = try reader.results("coordinator.results")
        batchSequencesMax = try reader.integer("coordinator.batch_sequences_max")
        prefillChunkTokens = try reader.integer("coordinator.prefill_chunk_tokens")
        waitingSequencesMax = try reader.integer("coordinator.waiting_sequences_max")
        spinMicroseconds = try reader.integer("coordinator.spin_microseconds")
        busyPollMicroseconds = try reader.integer("coordinator.busy_poll_microseconds")
        dispatchTimeoutMilliseconds = try reader.integer("coordinator.dispatch_timeout_milliseconds")
    }
}

extension ClusterConfiguration.Worker {
    fileprivate init(_ reader: ConfigurationReader, position: Int) throws(ConfigurationError) {
        self.init(
            node: try reader.node("workers[].node", position: position),
            address: try reader.endpoint("workers[].address", position: position))
        memoryBytes = try reader.byteCountIfSet("workers[].memory", position: position)
        threads = try reader.integer("workers[].threads", position: position)
        pinning = try reader.pinning("workers[].pinning", position: position)
        hugePages = try reader.hugePages("workers[].huge_pages", position: position)
        instructionSet = try reader.instructionSet("workers[].instruction_set", position: position)
        spinMicroseconds = try reader.integer("workers[].spin_microseconds", position: position)
        busyPollMicroseconds = try reader.integer("workers[].busy_poll_microseconds", position: position)
    }
}

extension ClusterConfiguration.Gateway {
    fileprivate init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        self.init()
        node = try reader.node("gateway.node")
        address = try reader.endpoint("gateway.address")
        tlsCertificate = try reader.pathIfSet("gateway.tls_certificate")
        tlsKey = try reader.pathIfSet("gateway.tls_key")
        queueCount = try reader.integer("gateway.queue_count")
        connectionsMax = try reader.integer("gateway.connections_max")
        streamsPerConnectionMax = try reader.integer("gateway.streams_per_connection_max")
        headerBytesMax = Int(clamping: try reader.byteCount("gateway.header_bytes_max"))
        bodyBytesMax = Int(clamping: try reader.byteCount("gateway.body_bytes_max"))
        headerTimeoutMilliseconds = try reader.integer("gateway.header_timeout_milliseconds")
        bodyTimeoutMilliseconds = try reader.integer("gateway.body_timeout_milliseconds")
        idleTimeoutMilliseconds = try reader.integer("gateway.idle_timeout_milliseconds")
        writeStallTimeoutMilliseconds = try reader.integer("gateway.write_stall_timeout_milliseconds")
        requestTimeoutMilliseconds = try reader.integer("gateway.request_timeout_milliseconds")
    }
}
