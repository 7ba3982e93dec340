/// What a process may do in the cluster; written in its certificate and checked on every message kind.
public enum Role: String, CaseIterable, Sendable, Codable {
    /// Keeps the sequences, runs attention and the router.
    case coordinator
    /// Speaks HTTP to clients and RPC to a coordinator.
    case gateway
    /// A person or a tool: `clusterctl`, `clusterbench`.
    case `operator`
    /// Hosts shards; keeps no sequence state.
    case worker
}
