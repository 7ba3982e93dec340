/// Where a process listens.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A host name or an address, without brackets.
    public var host: String
    /// The port; 0 lets the system choose one to listen on.
    public var port: UInt16

    /// Names an endpoint.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`; an IPv6 address stands in brackets: `[::1]:7000`.
    public init(parsing text: String) throws(TransportError) {
        guard let colon = text.lastIndex(of: ":") else {
            throw .endpointMalformed(text: text, reason: "the port is missing")
        }
        var name = text[..<colon]
        guard let port = UInt16(text[text.index(after: colon)...]) else {
            throw .endpointMalformed(text: text, reason: "a port is a number from 0 to 65535")
        }
        if name.hasPrefix("["), name.hasSuffix("]") {
            name = name.dropFirst().dropLast()
        } else if name.contains(":") {
            throw .endpointMalformed(text: text, reason: "an IPv6 address stands in brackets, as in [::1]:\(port)")
        }
        guard !name.isEmpty, !name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw .endpointMalformed(text: text, reason: "the host is missing or has spaces in it")
        }
        self.init(host: String(name), port: port)
    }

    /// `host:port`, with brackets where they are needed.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
