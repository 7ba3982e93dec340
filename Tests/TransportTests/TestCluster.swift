import Basics
import Foundation
import Transport
import Wire

/// An authority and certificates in a temporary directory, removed with the object.
final class TestCluster: Sendable {
    let directory: String
    let authority: CertificateAuthority

    init() throws {
        directory = NSTemporaryDirectory() + "colony-transport-" + UUID().uuidString
        authority = try CertificateAuthority.create(directory: directory + "/authority")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// The directory with a new node's certificate.
    func issue(
        _ name: String, _ role: Role, hosts: [String] = [], validity: CertificateValidity = .days(1)
    ) throws -> String {
        let nodeDirectory = "\(directory)/\(name)"
        try authority.issue(node: NodeID(name), role: role, hosts: hosts, validity: validity, into: nodeDirectory)
        return nodeDirectory
    }

    /// The identity of a new node.
    func identity(
        _ name: String, _ role: Role, validity: CertificateValidity = .days(1)
    ) throws -> NodeIdentity {
        try NodeIdentity.load(directory: try issue(name, role, validity: validity))
    }
}
