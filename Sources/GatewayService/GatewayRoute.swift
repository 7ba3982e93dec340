/// What the gateway serves.
enum GatewayRoute: String, CaseIterable, Sendable {
    case chatCompletions = "/v1/chat/completions"
    case cluster = "/cluster"
    case completions = "/v1/completions"
    case health = "/health"
    case live = "/live"
    case metrics = "/metrics"
    case model = "/v1/models/{id}"
    case models = "/v1/models"
    /// All files of the page count as one.
    case page = "/"

    /// The path, as metrics and logs name it.
    var path: String { rawValue }

    /// The method that the path is asked with.
    var method: String {
        switch self {
        case .chatCompletions, .completions: "POST"
        case .cluster, .health, .live, .metrics, .model, .models, .page: "GET"
        }
    }

    /// The route of a path and, for a single model, the model's name.
    static func find(_ path: String) -> (route: GatewayRoute, model: String)? {
        switch path {
        case "/live": return (.live, "")
        case "/v1/completions": return (.completions, "")
        case "/v1/chat/completions": return (.chatCompletions, "")
        case "/health": return (.health, "")
        case "/v1/models", "/v1/models/": return (.models, "")
        case "/cluster": return (.cluster, "")
        case "/metrics": return (.metrics, "")
        default:
            if WebPage.file(at: path) != nil { return (.page, "") }
            let prefix = "/v1/models/"
            return path.hasPrefix(prefix) ? (.model, String(path.dropFirst(prefix.count))) : nil
        }
    }
}
