import Foundation

/// Where the gateway is, as commands are told: by `--url`, by `COLONY_URL`, or by the file that `up` leaves in its
/// state directory.
struct GatewayAddress {
    /// A host name or address.
    let host: String
    /// The port.
    let port: UInt16

    /// Why an address cannot be used; one line for people.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    /// Finds the gateway: the option goes before the variable, that before the state directory; without any of them it
    /// is on this machine, where `up` puts it.
    static func find(
        url: String?, stateDirectory: String?, environment: [String: String]
    ) throws -> GatewayAddress {
        if let url { return try GatewayAddress(parsing: url) }
        if stateDirectory == nil, let url = environment["COLONY_URL"], !url.isEmpty {
            return try GatewayAddress(parsing: url)
        }
        let path = StateDirectory(stateDirectory, environment: environment).gatewayURLPath
        if let text = try? String(contentsOfFile: path, encoding: .utf8) {
            return try GatewayAddress(parsing: text.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard stateDirectory == nil else {
            throw UnreachableCluster("\(path) cannot be read: is the cluster of this state directory up?")
        }
        return try GatewayAddress(parsing: "http://127.0.0.1:8080")
    }

    /// Reads `http://host:port`.
    init(parsing url: String) throws {
        guard let components = URLComponents(string: url), let scheme = components.scheme, let host = components.host,
            !host.isEmpty
        else { throw Unusable(description: "'\(url)' is not a URL such as http://127.0.0.1:8080") }
        guard scheme == "http" else {
            throw Unusable(description: "'\(url)': only http is supported, not '\(scheme)'")
        }
        guard components.path.isEmpty || components.path == "/" else {
            throw Unusable(description: "'\(url)': give the gateway's address without the path '\(components.path)'")
        }
        guard let port = UInt16(exactly: components.port ?? 80) else {
            throw Unusable(description: "'\(url)': the port is not from 0 to 65535")
        }
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        self.port = port
    }
}
