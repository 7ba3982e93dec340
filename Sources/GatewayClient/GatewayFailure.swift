import Basics
import HTTPServer

/// Why there is no answer, or no whole one.
public enum GatewayFailure: Error, Equatable, CustomStringConvertible {
    /// The answer ended before its end.
    case brokenOff(reason: String)
    /// Whoever asked no longer wants the answer.
    case interrupted
    /// What came is not what a gateway sends.
    case malformedAnswer(reason: String)
    /// The gateway said no, before the answer or (without a status) within it.
    case refused(status: Int?, code: String?, message: String)
    /// Nobody answers there.
    case unreachable(address: String, reason: String)

    /// The model has no chat template: it can only continue texts.
    public static let noChatTemplateCode = "no_chat_template"
    /// The prompt is longer than the model's context.
    public static let contextExceededCode = "context_length_exceeded"

    /// Whether the gateway refused it with this code.
    public func isRefusal(code: String) -> Bool {
        guard case .refused(_, code, _) = self else { return false }
        return true
    }

    /// Why the cluster cannot generate yet; nil if something else went wrong.
    public var unavailability: String? {
        guard case .refused(503, _, let message) = self else { return nil }
        return message
    }

    /// One line for people.
    public var description: String {
        switch self {
        case .brokenOff(let reason): "the answer broke off: \(reason)"
        case .interrupted: "stopped"
        case .malformedAnswer(let reason): "the gateway's answer makes no sense: \(reason)"
        case .refused(_, _, let message): message
        case .unreachable(let address, let reason): "cannot reach the gateway at \(address): \(reason)"
        }
    }

    init(_ error: HTTPError, address: String) {
        self =
            switch error {
            case .connectionClosed: .brokenOff(reason: "the gateway at \(address) closed the connection")
            case .connectionFailed(let address, let reason): .unreachable(address: address, reason: reason)
            case .hostUnknown(_, let reason): .unreachable(address: address, reason: reason)
            case .interrupted: .interrupted
            case .timedOut: .brokenOff(reason: "\(error)")
            default: .malformedAnswer(reason: "\(error)")
            }
    }

    /// OpenAI's error object.
    init(_ error: JSON, status: Int?) {
        self = .refused(
            status: status, code: error["code"]?.string, message: error["message"]?.string ?? error.serialised())
    }
}
