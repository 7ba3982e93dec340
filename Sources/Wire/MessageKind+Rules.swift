import Basics

/// What may be sent, by whom and where: checked on every frame, on arrival. The switches have no default, so that a new
/// kind cannot be added without an answer to each.
extension MessageKind {
    /// Largest payload of this kind, in bytes.
    public var payloadBytesMax: Int {
        switch self {
        case .hello: Limits.Wire.helloPayloadBytesMax
        case .welcome, .assign: Limits.Wire.assignPayloadBytesMax
        case .refusal: Limits.Wire.refusalPayloadBytesMax
        case .heartbeat: 8
        case .heartbeatReply: 40
        case .echo, .echoReply: Limits.Wire.echoPayloadBytesMax
        case .assignProgress: 17
        case .dispatch, .combine: Limits.Wire.activationPayloadBytesMax
        case .generate: Limits.Wire.generatePayloadBytesMax
        case .generated: Limits.Wire.generatedPayloadBytesMax
        case .cancel, .statusRequest, .modelFilesRequest: 0
        case .status: Limits.Wire.statusPayloadBytesMax
        case .modelFiles: Limits.Wire.modelFilesPayloadBytesMax
        }
    }

    /// The roles that may send this kind.
    public var senders: Set<Role> {
        switch self {
        case .hello, .welcome, .refusal, .heartbeat, .heartbeatReply, .echo, .echoReply: Set(Role.allCases)
        case .assign, .dispatch, .generated, .status, .modelFiles: [.coordinator]
        case .assignProgress, .combine: [.worker]
        case .generate, .cancel, .statusRequest, .modelFilesRequest: [.gateway, .operator]
        }
    }

    /// The classes of links on which this kind travels.
    public var linkClasses: Set<LinkClass> {
        switch self {
        case .hello, .welcome, .refusal, .heartbeat, .heartbeatReply, .echo, .echoReply: Set(LinkClass.allCases)
        case .dispatch, .combine: [.activations]
        case .assign, .assignProgress, .generate, .generated, .cancel, .statusRequest, .status, .modelFilesRequest,
            .modelFiles:
            [.control]
        }
    }

    /// The kind that answers this one, if it is a request; any request may be answered with `refusal` instead.
    public var answer: MessageKind? {
        switch self {
        case .hello: .welcome
        case .heartbeat: .heartbeatReply
        case .echo: .echoReply
        case .assign: .assignProgress
        case .dispatch: .combine
        case .generate: .generated
        case .statusRequest: .status
        case .modelFilesRequest: .modelFiles
        case .welcome, .refusal, .heartbeatReply, .echoReply, .assignProgress, .combine, .generated, .cancel, .status,
            .modelFiles:
            nil
        }
    }

    /// Whether this kind answers a request that the receiver made.
    public var isReply: Bool {
        switch self {
        case .welcome, .refusal, .heartbeatReply, .echoReply, .assignProgress, .combine, .generated, .status,
            .modelFiles:
            true
        case .hello, .heartbeat, .echo, .assign, .dispatch, .generate, .cancel, .statusRequest, .modelFilesRequest:
            false
        }
    }

    /// Why a sender with this role may not send this kind on a link of this class; nil if it may.
    ///
    /// Allocates nothing when it may: it is asked for every frame.
    public func objection(sender: Role, linkClass: LinkClass) -> Refusal? {
        guard allows(sender) else {
            return Refusal(.roleNotAllowed, "role \(sender.rawValue) may not send \(self)")
        }
        guard allows(linkClass) else {
            return Refusal(.unexpectedKind, "\(self) does not travel on a link for \(linkClass)")
        }
        return nil
    }

    private func allows(_ sender: Role) -> Bool {
        MessageKind.rules.senders[Int(rawValue)] & (1 << sender.wireNumber) != 0
    }

    private func allows(_ linkClass: LinkClass) -> Bool {
        MessageKind.rules.linkClasses[Int(rawValue)] & (1 << linkClass.rawValue) != 0
    }

    /// `senders` and `linkClasses` as bits, by the number of the kind.
    private static let rules: (senders: [UInt8], linkClasses: [UInt8]) = {
        let count = 1 + Int(allCases.map(\.rawValue).max() ?? 0)
        var senders = [UInt8](repeating: 0, count: count)
        var linkClasses = senders
        for kind in allCases {
            for role in kind.senders { senders[Int(kind.rawValue)] |= 1 << role.wireNumber }
            for linkClass in kind.linkClasses { linkClasses[Int(kind.rawValue)] |= 1 << linkClass.rawValue }
        }
        return (senders, linkClasses)
    }()
}

extension Role {
    /// The number that stands for the role on the wire. **Append only.**
    public var wireNumber: UInt8 {
        switch self {
        case .coordinator: 1
        case .worker: 2
        case .gateway: 3
        case .operator: 4
        }
    }

    /// The role of a number, nil if there is none.
    public init?(wireNumber: UInt8) {
        guard let role = Role.allCases.first(where: { $0.wireNumber == wireNumber }) else { return nil }
        self = role
    }
}
