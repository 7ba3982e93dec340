extension ConfigurationOption {
    /// Every option of Colony, in the order of the example file. Files, environment, command line, `--help` and the
    /// example's test all follow this table.
    public static let all: [ConfigurationOption] = general + coordinator + workers + gateway + log

    private static let everyone = Set(ConfigurationRole.allCases)
    private static let microseconds = OptionKind.integer(0...1_000_000)
    private static let milliseconds = OptionKind.integer(1...3_600_000)
    /// Of everything that computes.
    private static let computing = [
        OptionEntry(
            "threads", .integer(0...1024), "0",
            "Compute threads; 0 for one per processor that affinity and the container's quota allow."),
        OptionEntry(
            "pinning", .choice(PinningChoice.allCases.map(\.rawValue)), "auto",
            "Threads stay on a node of the machine's memory, or on a processor; auto: node where there are several."),
        OptionEntry(
            "huge_pages", .choice(HugePagesChoice.allCases.map(\.rawValue)), "auto",
            "Pages for weights; auto: huge ones where the system has some, off: never."),
        OptionEntry(
            "instruction_set", .choice(InstructionSetChoice.allCases.map(\.rawValue)), "auto",
            "Vector instructions to compute with; all give the same bits, auto takes the fastest."),
    ]

    private static let general = [
        ConfigurationOption(
            key: "model", kind: .path, defaultText: nil,
            meaning: "The model: a Hugging Face model directory or a .gguf file, the same on every host.",
            roles: [.coordinator, .worker]),
        ConfigurationOption(
            key: "model_name", kind: .text, defaultText: "",
            meaning: "The name under which clients ask for the model; the name of its directory or file if absent.",
            roles: [.coordinator]),
        ConfigurationOption(
            key: "certificates", kind: .path, defaultText: nil,
            meaning: "Directory with this host's ca.pem, node.pem and node.key; the certificate names the node.",
            roles: everyone),
        ConfigurationOption(
            key: "weight_cache", kind: .path, defaultText: "",
            meaning: "Directory for weights as they are computed with, from which the next start maps them; absent: "
                + "colony/weights in the user's cache directory.",
            roles: [.coordinator, .worker]),
        ConfigurationOption(
            key: "weight_cache_bytes", kind: .byteCount(0...1 << 60), defaultText: "",
            meaning: "How big it may become, the longest unused files go first; 0 keeps nothing; absent: as much as "
                + "leaves a tenth of the disk free.",
            roles: [.coordinator, .worker]),
    ]

    private static let coordinator = section(
        "coordinator", roles: [.coordinator],
        [
            OptionEntry(
                "node", .nodeName, "coordinator", "The coordinator's name, as in its certificate.", roles: everyone),
            OptionEntry(
                "address", .endpoint, "127.0.0.1:7400",
                "Where the coordinator listens for gateways and clusterctl.", roles: everyone),
        ] + computing + [
            OptionEntry(
                "context_tokens_max", .integer(0...(1 << 24)), "0",
                "Longest sequence, prompt and answer together, in tokens; 0 for what the model was trained for."),
            OptionEntry(
                "kv_cache_bytes", .byteCount(1 << 20...1 << 50), "1GiB",
                "Memory for keys, values and recurrent states of all sequences. Too small: few sequences run at once."),
            OptionEntry(
                "kv_cache_format", .choice(KeyValueFormatChoice.allCases.map(\.rawValue)), "auto",
                """
                How they are stored; f16 takes half of f32, int8 a quarter. auto: f16 for quantised weights, else f32; \
                always f32 for the latents of DeepSeek and its relatives.
                """),
            OptionEntry(
                "activations", .choice(ActivationsChoice.allCases.map(\.rawValue)), "int8",
                "How activations meet quantised weights, on workers too: int8 rounds them per token, f32 is exact and slow."
            ),
            OptionEntry(
                "results", .choice(ResultsChoice.allCases.map(\.rawValue)), "auto",
                """
                In which form experts' rows come back and are added up, without workers too; bf16 takes half of the \
                network that f32 does, int8 a quarter. auto: bf16 where experts round what they get to int8, else f32.
                """),
            OptionEntry(
                "batch_sequences_max", .integer(1...4096), "64",
                "Sequences in one step. Too big: each token takes longer; too small: others wait."),
            OptionEntry(
                "prefill_chunk_tokens", .integer(1...65536), "256",
                "Prompt tokens in one step. Too big: running answers stall; too small: prompts take longer."),
            OptionEntry(
                "waiting_sequences_max", .integer(0...1_000_000), "1024",
                "Requests that may wait for room in the batch; further ones are refused at once."),
            OptionEntry(
                "spin_microseconds", microseconds, "1000",
                "How long an idle compute thread spins before it sleeps. Too small: slower steps; too big: heat."),
            OptionEntry(
                "busy_poll_microseconds", microseconds, "0",
                "How long a thread that waits for a worker spins before it sleeps; 0 never spins."),
            OptionEntry(
                "dispatch_timeout_milliseconds", milliseconds, "10000",
                "How long a worker may take for one layer before it counts as lost."),
        ])

    private static let workers =
        [
            ConfigurationOption(
                key: "workers[].node", kind: .nodeName, defaultText: nil,
                meaning: "The worker's name, as in its certificate.", roles: everyone, isOverridable: false),
            ConfigurationOption(
                key: "workers[].address", kind: .endpoint, defaultText: nil,
                meaning: "Where the worker listens for coordinators.", roles: everyone, isOverridable: false),
        ]
        + section(
            "workers[]", roles: [.worker],
            [
                OptionEntry(
                    "memory", .byteCount(1 << 20...1 << 50), "",
                    "Memory for experts; 80 % of what is available at start if absent.")
            ] + computing + [
                OptionEntry(
                    "spin_microseconds", microseconds, "1000",
                    "How long an idle compute thread spins before it sleeps."),
                OptionEntry(
                    "busy_poll_microseconds", microseconds, "0",
                    "How long the thread that waits for work spins before it sleeps; 0 never spins."),
            ])

    private static let gateway = section(
        "gateway", roles: [.gateway],
        [
            OptionEntry("node", .nodeName, "gateway", "The gateway's name, as in its certificate.", roles: everyone),
            OptionEntry("address", .endpoint, "0.0.0.0:8080", "Where the gateway listens for HTTP clients."),
            OptionEntry(
                "tls_certificate", .path, "",
                "Certificate chain for HTTPS, PEM; cleartext HTTP if absent. Needs tls_key."),
            OptionEntry("tls_key", .path, "", "Private key for HTTPS, PEM. Needs tls_certificate."),
            OptionEntry(
                "queue_count", .integer(1...256), "2",
                "Threads that serve connections; each connection belongs to one."),
            OptionEntry(
                "connections_max", .integer(1...1_000_000), "8192",
                "Open client connections; further ones are closed at once."),
            OptionEntry(
                "streams_per_connection_max", .integer(1...65536), "2048",
                "Requests in flight on one HTTP/2 connection."),
            OptionEntry(
                "header_bytes_max", .byteCount(1 << 10...1 << 20), "32KiB",
                "All header lines of a request together; beyond it the answer is 431."),
            OptionEntry(
                "body_bytes_max", .byteCount(1 << 10...1 << 30), "32MiB",
                "Body of one request, held in memory; beyond it the answer is 413."),
            OptionEntry(
                "header_timeout_milliseconds", milliseconds, "10000",
                "From the first byte of a request to the end of its headers."),
            OptionEntry(
                "body_timeout_milliseconds", milliseconds, "60000",
                "From the end of the headers to the end of the body."),
            OptionEntry(
                "idle_timeout_milliseconds", milliseconds, "75000",
                "How long a connection without a request stays open."),
            OptionEntry(
                "write_stall_timeout_milliseconds", milliseconds, "30000",
                "How long a client may take nothing of an answer that waits for it."),
            OptionEntry(
                "request_timeout_milliseconds", .integer(0...86_400_000), "600000",
                "How long one answer may take altogether; 0 for no limit."),
        ])

    private static let log = section(
        "log", roles: everyone,
        [
            OptionEntry(
                "level", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), "info",
                "The least important events that are logged."),
            OptionEntry(
                "format", .choice(["text", "json"]), "text", "text for people, json for machines; one line per event."),
        ])

    private static func section(
        _ name: String, roles: Set<ConfigurationRole>, _ entries: [OptionEntry]
    ) -> [ConfigurationOption] {
        entries.map { entry in
            ConfigurationOption(
                key: "\(name).\(entry.name)", kind: entry.kind, defaultText: entry.defaultText, meaning: entry.meaning,
                roles: entry.roles ?? roles)
        }
    }
}

/// An option within its section.
private struct OptionEntry {
    let name: String
    let kind: OptionKind
    let defaultText: String
    let meaning: String
    /// The programs that use it; nil for those of its section.
    let roles: Set<ConfigurationRole>?

    init(
        _ name: String, _ kind: OptionKind, _ defaultText: String, _ meaning: String,
        roles: Set<ConfigurationRole>? = nil
    ) {
        self.name = name
        self.kind = kind
        self.defaultText = defaultText
        self.meaning = meaning
        self.roles = roles
    }
}
