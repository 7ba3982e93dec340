/// The model wants a tool to be called.
public struct ToolCall: Hashable, Sendable {
    /// How the model names the call; nil if it leaves that to us.
    public var identifier: String?
    /// The function's name.
    public var name: String
    /// Its arguments: JSON text, normally of an object.
    public var arguments: String

    /// A call.
    public init(identifier: String? = nil, name: String, arguments: String) {
        self.identifier = identifier
        self.name = name
        self.arguments = arguments
    }
}
