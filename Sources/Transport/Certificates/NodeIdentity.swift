public import Basics
import COpenSSL
public import Wire

/// Who a process is: its certificate and key, and the authority that it trusts.
public struct NodeIdentity: Sendable {
    /// The name in the certificate.
    public let node: NodeID
    /// The role in the certificate.
    public let role: Role
    /// The certificate.
    public let certificate: Certificate
    /// For links that this process dials.
    let client: TLSContext
    /// For links that others dial.
    let server: TLSContext

    /// Reads `ca.pem`, `node.pem` and `node.key` of a directory.
    ///
    /// A certificate that has expired is no error here: the other side will refuse it with that reason. Whoever starts
    /// a process can look at `certificate.validUntilSeconds` first.
    public static func load(directory: String) throws(TransportError) -> NodeIdentity {
        let paths = (authority: directory + "/ca.pem", node: directory + "/node.pem", key: directory + "/node.key")
        let authority = try X509Certificate.load(path: paths.authority)
        let own = try X509Certificate.load(path: paths.node)
        guard X509_verify(own.pointer, X509_get0_pubkey(authority.pointer)) == 1 else {
            OpenSSLErrors.clear()
            throw .certificateUnusable(path: paths.node, reason: "it was not signed by \(paths.authority)")
        }
        let certificate = Certificate(own)
        let identity: (node: NodeID, role: Role)
        do {
            identity = try certificate.identity()
        } catch {
            throw .certificateUnusable(path: paths.node, reason: error.reason)
        }
        return NodeIdentity(
            node: identity.node, role: identity.role, certificate: certificate,
            client: try TLSContext(
                clientAuthorityPath: paths.authority, certificate: (paths.node, paths.key), versionMin: .tls13),
            server: try TLSContext(
                serverCertificatePath: paths.node, keyPath: paths.key, clientAuthorityPath: paths.authority,
                versionMin: .tls13))
    }
}
