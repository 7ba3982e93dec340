import Basics

/// What `GET /cluster` says about the model and who serves it, as far as somebody who chats wants to know.
public struct ClusterSummary: Equatable, Sendable {
    /// The model's name.
    public var model: String
    /// Longest sequence, in tokens; nil if unknown.
    public var contextTokensMax: Int?
    /// Workers there are.
    public var workerCount: Int
    /// Workers that are ready.
    public var readyWorkerCount: Int

    /// Reads what is there: the document grows with time, and none of it is worth failing for.
    init(_ json: JSON) {
        model = json["model"]?["name"]?.string ?? "unknown"
        contextTokensMax = json["model"]?["contextTokensMax"]?.integer
        let workers = (json["nodes"]?.array ?? []).filter { $0["role"]?.string == "worker" }
        workerCount = workers.count
        readyWorkerCount = workers.count { $0["state"]?.string == "ready" }
    }

    /// For instance `model antling, 3 workers, context of 2048 tokens`.
    public var text: String {
        var parts = ["model \(model)"]
        switch workerCount {
        case 0: parts.append("no workers")
        case 1: parts.append("1 worker")
        default: parts.append("\(workerCount) workers")
        }
        if readyWorkerCount < workerCount { parts[1] += " (\(readyWorkerCount) ready)" }
        if let contextTokensMax { parts.append("context of \(contextTokensMax) tokens") }
        return parts.joined(separator: ", ")
    }
}
