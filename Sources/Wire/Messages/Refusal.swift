/// Why a frame or a request was refused. **Append only**, like message kinds.
public enum RefusalCode: UInt16, CaseIterable, Sendable {
    /// The header does not start with the magic number.
    case badMagic = 1
    /// The payload is longer than the kind allows.
    case payloadBeyondLimit = 2
    /// The payload does not decode.
    case malformedPayload = 3
    /// No protocol version in common.
    case versionMismatch = 4
    /// The number of the kind means nothing to the receiver.
    case unknownKind = 5
    /// The role in the sender's certificate may not send this kind.
    case roleNotAllowed = 6
    /// The two sides serve different models.
    case modelMismatch = 7
    /// The message belongs to another placement epoch.
    case staleEpoch = 8
    /// A shard is asked for that the worker does not host.
    case shardNotHosted = 9
    /// The worker could not load the shards that it was given.
    case loadFailed = 10
    /// The request contradicts itself or the model (token out of range, prompt too long, …): the client's mistake.
    case invalidRequest = 11
    /// The cluster cannot generate at the moment (a worker died, weights are loading): try again later.
    case unavailable = 12
    /// Too many requests wait already.
    case overloaded = 13
    /// A reserved field is not zero.
    case reservedNotZero = 14
    /// A deadline passed.
    case deadlineExceeded = 15
    /// Something went wrong that is our fault.
    case internalError = 16
    /// A message came that makes no sense at this point (a second hello, an answer nobody waits for).
    case unexpectedKind = 17
}

/// The reason for which a frame or a request was refused.
public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of reason.
    public var code: RefusalCode
    /// The reason in words, with the numbers needed to act on it.
    public var message: String

    /// Refuses for a reason.
    public init(_ code: RefusalCode, _ message: String) {
        self.code = code
        self.message = message
    }

    /// One line for people.
    public var description: String { "\(code): \(message)" }
}
