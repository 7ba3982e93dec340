import Basics
import Wire

/// The answers to one frame, for those who answer later or more than once. A link that has closed meanwhile swallows
/// them: whoever asked is gone.
public struct FrameReply: Sendable {
    private let link: Link
    private let frame: ReceivedFrame

    /// Answers `frame`, which came over `link`.
    public init(to frame: ReceivedFrame, on link: Link) {
        self.link = link
        self.frame = frame
    }

    /// Sends a frame that was built in place.
    public func send(_ kind: MessageKind, _ buffer: FrameBuffer, isLast: Bool = true) {
        try? link.reply(to: frame, kind: kind, isLast: isLast, buffer)
    }

    /// Sends a message; one that cannot be encoded is our bug, and is answered as such.
    public func send<Message: WireMessage>(_ message: Message, isLast: Bool = true) {
        do {
            send(Message.kind, try FrameBuffer(message, version: link.version), isLast: isLast)
        } catch {
            refuse(Refusal(.internalError, "the answer cannot be encoded: \(error)"))
        }
    }

    /// Ends the request with a reason.
    public func refuse(_ refusal: Refusal) { link.refuse(frame, refusal) }
}
