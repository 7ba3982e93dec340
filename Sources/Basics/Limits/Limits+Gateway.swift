extension Limits {
    /// Limits of the gateway: what one client may ask for, and how long things may take.
    public enum Gateway {
        /// Most prompts of one completions request.
        public static let promptsMax = 256
        /// Most choices per prompt (`n`).
        public static let choicesMax = 128
        /// Most sequences that one request may start: prompts times choices.
        public static let sequencesMax = 512
        /// Most messages of one chat request.
        public static let messagesMax = 4096
        /// Most tools of one chat request.
        public static let toolsMax = 512
        /// Most stop strings.
        public static let stopStringsMax = 16
        /// Longest stop string, in bytes of UTF-8.
        public static let stopStringBytesMax = 1024
        /// Most stop tokens that a client may add.
        public static let stopTokensMax = 128
        /// Most entries of `logit_bias`.
        public static let logitBiasesMax = 1024
        /// Most likeliest tokens reported beside each token.
        public static let logprobsMax = 20
        /// Most routed experts that an answer holds which is not streamed, of all its tokens and layers together: about
        /// 10,000 tokens of a model that visits 400 experts per token.
        public static let routedExpertsMax = 1 << 22
        /// Longest header of a message in an answer with channels, in bytes; what is longer is text.
        public static let channelHeaderBytesMax = 512
        /// Highest temperature.
        public static let temperatureMax: Double = 2
        /// Presence and frequency penalties lie between the negative of this and this.
        public static let penaltyMax: Double = 2
        /// Largest repetition penalty.
        public static let repetitionPenaltyMax: Double = 100
        /// Largest absolute value of one `logit_bias` entry.
        public static let logitBiasMax: Double = 100

        /// Most requests for generation that are open at once; more are answered with status 429.
        public static let openRequestsMax = 4096
        /// A streamed answer of which more than this waits for its client to read is given up, in bytes.
        public static let unreadBytesMax = 4 << 20
        /// How long a stream may be silent before a comment keeps it alive, in seconds.
        public static let keepAliveSeconds = 10
        /// How often the coordinator is asked for the state of the cluster, in milliseconds.
        public static let statusPollMilliseconds = 250
        /// A state of the cluster older than this says nothing: the cluster counts as not ready, in milliseconds.
        public static let statusAgeMillisecondsMax = 1500
        /// How long the coordinator may take to report its state before the link counts as dead, in milliseconds.
        public static let statusTimeoutMilliseconds = 10_000
        /// How long the model's small files may take to arrive, in milliseconds.
        public static let modelFilesTimeoutMilliseconds = 60_000
        /// First pause between two attempts to reach the coordinator, in milliseconds; doubles with each attempt.
        public static let reconnectMillisecondsMin = 50
        /// Longest pause between two attempts to reach the coordinator, in milliseconds.
        public static let reconnectMillisecondsMax = 2000
        /// What a client that was answered with status 429 or 503 is told to wait, in seconds.
        public static let retryAfterSeconds = 1
        /// How long requests may still run after the gateway was asked to stop, in milliseconds.
        public static let drainMilliseconds = 2000
        /// How long our own tools wait for the next piece of an answer, in milliseconds.
        public static let clientTimeoutMilliseconds = 600_000
        /// Queues on which requests are parsed, tokenised and answered.
        public static let workerQueueCount = 2
    }

    /// Limits of `clusterbench load`.
    public enum LoadGenerator {
        /// Most requests in flight at once.
        public static let concurrencyMax = 1024
        /// Most requests of one run.
        public static let requestsMax = 1_000_000
        /// Longest run, in seconds.
        public static let secondsMax = 86_400
        /// Most tokens of a prompt or an answer.
        public static let tokensMax = 1_000_000
        /// Most requests per second.
        public static let rateMax: Double = 100_000
    }
}
