public import Basics
public import Wire

/// Why a request gets no answer: an HTTP status and OpenAI's error object.
public struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status.
    public var status: Int
    /// OpenAI's name for the kind of error, e.g. `invalid_request_error`.
    public var type: String
    /// The reason in words, with the numbers needed to act on it.
    public var message: String
    /// The field of the request that is wrong; nil if it is none in particular.
    public var parameter: String?
    /// A word for programs, e.g. `model_not_found`; nil if there is none.
    public var code: String?
    /// What to wait before trying again, in seconds; nil if trying again is pointless.
    public var retryAfterSeconds: Int?

    /// Describes a failure.
    public init(
        status: Int, type: String, message: String, parameter: String? = nil, code: String? = nil,
        retryAfterSeconds: Int? = nil
    ) {
        self.status = status
        self.type = type
        self.message = message
        self.parameter = parameter
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// One line for people.
    public var description: String {
        "\(status) \(type)" + (parameter.map { " (\($0))" } ?? "") + ": \(message)"
    }

    /// The body of the answer: `{"error": {"message", "type", "param", "code"}}`.
    public var json: JSON {
        [
            "error": [
                "message": .string(message),
                "type": .string(type),
                "param": parameter.map(JSON.string) ?? .null,
                "code": code.map(JSON.string) ?? .null,
            ]
        ]
    }
}

extension APIError {
    /// The client's mistake, in one field or (nil) in the request as a whole.
    public static func invalid(_ parameter: String?, _ message: String, code: String? = nil) -> APIError {
        APIError(status: 400, type: "invalid_request_error", message: message, parameter: parameter, code: code)
    }

    /// The request asks for something that would change the answer and that this version cannot do.
    public static func unsupported(_ parameter: String, _ message: String) -> APIError {
        .invalid(parameter, message, code: "unsupported_parameter")
    }

    /// Nothing is served under this path.
    public static func pathNotFound(_ path: String) -> APIError {
        APIError(
            status: 404, type: "invalid_request_error", message: "nothing is served under '\(path)'",
            code: "path_not_found")
    }

    /// The path exists, but not for this method.
    public static func methodNotAllowed(_ method: String, path: String, allowed: String) -> APIError {
        APIError(
            status: 405, type: "invalid_request_error",
            message: "'\(path)' is asked with \(allowed), not with \(method)", code: "method_not_allowed")
    }

    /// Another model is served.
    public static func modelNotFound(_ name: String, served: String) -> APIError {
        APIError(
            status: 404, type: "invalid_request_error",
            message: "the model '\(name)' is not served here; '\(served)' is (also as 'default')", parameter: "model",
            code: "model_not_found")
    }

    /// The cluster cannot generate at the moment.
    public static func unavailable(_ reason: String) -> APIError {
        APIError(
            status: 503, type: "service_unavailable_error", message: reason, code: "unavailable",
            retryAfterSeconds: Limits.Gateway.retryAfterSeconds)
    }

    /// Too much is being asked at once.
    public static func overloaded(_ reason: String) -> APIError {
        APIError(
            status: 429, type: "rate_limit_error", message: reason, code: "overloaded",
            retryAfterSeconds: Limits.Gateway.retryAfterSeconds)
    }

    /// What a refusal of the coordinator means to an HTTP client.
    public init(_ refusal: Refusal) {
        switch refusal.code {
        case .invalidRequest: self = .invalid(nil, refusal.message)
        case .unavailable: self = .unavailable(refusal.message)
        case .overloaded: self = .overloaded(refusal.message)
        case .deadlineExceeded:
            self.init(
                status: 504, type: "timeout_error", message: refusal.message, code: "deadline_exceeded",
                retryAfterSeconds: nil)
        case .badMagic, .internalError, .loadFailed, .malformedPayload, .modelMismatch, .payloadBeyondLimit,
            .reservedNotZero, .roleNotAllowed, .shardNotHosted, .staleEpoch, .unexpectedKind, .unknownKind,
            .versionMismatch:
            self.init(
                status: 500, type: "server_error", message: "\(refusal.code): \(refusal.message)",
                code: "internal_error")
        }
    }
}
