/// The kind of a frame. **Append only**: a number, once given, is never reused and never changes its meaning; a retired
/// kind keeps its number. `docs/WIRE.md` describes the layout of each, and golden bytes hold the code to it.
public enum MessageKind: UInt16, CaseIterable, Sendable {
    // Every link, in both directions.
    /// First frame of a link, sent by the side that dialled: `Hello`.
    case hello = 1
    /// The answer to `hello`: `Welcome`.
    case welcome = 2
    /// A frame or a request was refused; carries the reason: `Refusal`. Ends the request that it answers.
    case refusal = 3
    /// "Are you alive?": `Heartbeat`.
    case heartbeat = 4
    /// The answer to `heartbeat`: `HeartbeatReply`.
    case heartbeatReply = 5
    /// Bytes to be sent back as they are: round-trip measurements.
    case echo = 6
    /// The same bytes.
    case echoReply = 7

    // Coordinator → worker, on the control link.
    /// The shards that the worker has to host from now on: `Assign`.
    case assign = 16
    /// How far the worker is with loading them: `AssignProgress`; many answers to one `assign`.
    case assignProgress = 17

    // Coordinator → worker, on the activation link.
    /// Activation rows and the experts they go to: `Dispatch`.
    case dispatch = 32
    /// One weighted row per (token, expert) pair: `Combine`.
    case combine = 33

    // Gateway or operator → coordinator.
    /// A sequence to be continued: `Generate`.
    case generate = 48
    /// What came of it so far: `Generated`; many answers to one `generate`.
    case generated = 49
    /// The client went away; ends the request of the same id. Empty payload, no answer.
    case cancel = 50
    /// Asks for the state of the cluster. Empty payload.
    case statusRequest = 64
    /// The state of the cluster as a JSON document: `ClusterStatus`.
    case status = 65
    /// Asks for the model's small files (tokenizer, chat template, generation defaults). Empty payload.
    case modelFilesRequest = 66
    /// Those files: `ModelFiles`.
    case modelFiles = 67
}
