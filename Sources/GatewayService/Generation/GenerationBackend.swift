public import Wire

/// What becomes of a sequence that was handed to a backend.
public enum GenerationEvent: Sendable {
    /// Progress; the last one has `finish` set.
    case generated(Generated)
    /// The sequence ended with an error; nothing follows.
    case failed(Refusal)
}

/// A sequence in progress.
public protocol GenerationTicket: Sendable {
    /// Gives the sequence up; no events follow except those already on their way. Harmless when it is over.
    func cancel()
}

/// Whatever continues sequences for the gateway: the cluster's coordinator, or a stand-in in tests.
public protocol GenerationBackend: Sendable {
    /// Begins to connect to the cluster, on behalf of a gateway that serves at `listenAddress` (`host:port`). Called
    /// once, before `stop()`; never blocks.
    func open(listenAddress: String)

    /// The model that is served; throws `unavailable` with the reason while that is not known.
    func model() throws(Refusal) -> ModelContext

    /// The state of the cluster, at most a moment old. Never blocks; if the cluster cannot be reached the answer says
    /// so (`isReady` is false and `reason` is set).
    func status() -> ClusterStatus

    /// Starts a sequence. `onEvent` is called on a thread of the backend, in order, and must not block; it may be
    /// called before this returns.
    func start(
        _ generate: Generate, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(Refusal) -> any GenerationTicket

    /// Closes the connection to the cluster; sequences in progress fail.
    func stop()
}
