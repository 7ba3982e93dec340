public import Basics
import COpenSSL
import Glibc
public import Wire

/// How long a certificate is valid, relative to the moment in which it is made.
public struct CertificateValidity: Equatable, Sendable {
    /// First moment, in seconds from now.
    public var startSeconds: Int
    /// Last moment, in seconds from now.
    public var endSeconds: Int

    /// Valid between two moments.
    public init(startSeconds: Int, endSeconds: Int) {
        self.startSeconds = startSeconds
        self.endSeconds = endSeconds
    }

    /// Valid for a number of days from now; an hour earlier too, for machines whose clocks are behind.
    public static func days(_ count: Int) -> CertificateValidity {
        CertificateValidity(startSeconds: -3600, endSeconds: count * 86400)
    }
}

/// A cluster's certificate authority: whoever has its key decides who belongs to the cluster.
///
/// In its directory lie `ca.pem` (the certificate, which every node has) and `ca.key` (the key, which no node needs). A
/// node's directory has `ca.pem`, `node.pem` and `node.key`. Keys are elliptic (P-256), readable by their owner alone.
public struct CertificateAuthority: Sendable {
    /// The authority's own certificate.
    public var certificate: Certificate { Certificate(signer) }
    private let signer: X509Certificate
    private let key: PrivateKey

    /// Makes a new authority in `directory`, which is made where it does not exist.
    ///
    /// - Parameter overwrites: whether an authority that is there already is replaced (its certificates become
    ///   worthless); otherwise that is `fileExists`.
    public static func create(
        directory: String, validity: CertificateValidity = .days(3650), overwrites: Bool = false
    ) throws(TransportError) -> CertificateAuthority {
        let paths = (certificate: directory + "/ca.pem", key: directory + "/ca.key")
        try refuseExisting([paths.certificate, paths.key], unless: overwrites)
        let key = try PrivateKey.generate()
        var draft = try CertificateDraft(key: key, validity: validity)
        // A name of its own for each authority: chains of different clusters never look alike.
        try draft.setSubject([("O", "Colony"), ("CN", "Colony authority \(randomDigits())")])
        try draft.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
        try draft.add(NID_key_usage, "critical,keyCertSign,cRLSign")
        try draft.add(NID_subject_key_identifier, "hash")
        let certificate = try draft.signed(by: key)
        try Files.makeDirectory(directory)
        try Files.write(try key.pem(), to: paths.key, permissions: 0o600)
        try Files.write(try certificate.pem(), to: paths.certificate, permissions: 0o644)
        return CertificateAuthority(signer: certificate, key: key)
    }

    /// Reads the authority in `directory`.
    public static func load(directory: String) throws(TransportError) -> CertificateAuthority {
        let path = directory + "/ca.pem"
        let certificate = try X509Certificate.load(path: path)
        let key = try PrivateKey.load(path: directory + "/ca.key")
        guard X509_check_ca(certificate.pointer) == 1 else {
            throw .certificateUnusable(path: path, reason: "it is not a certificate authority's")
        }
        guard X509_check_private_key(certificate.pointer, key.pointer) == 1 else {
            throw .certificateUnusable(path: directory + "/ca.key", reason: "it is not the key of ca.pem")
        }
        return CertificateAuthority(signer: certificate, key: key)
    }

    /// Makes a key and a certificate for a node, and writes them with the authority's certificate into `directory`.
    ///
    /// - Parameters:
    ///   - node: its name, at most 64 characters.
    ///   - role: what it may do.
    ///   - hosts: names and addresses at which clients reach it; `localhost` and the loopback addresses where none is
    ///     given.
    ///   - validity: how long the certificate is valid.
    ///   - directory: made where it does not exist.
    ///   - overwrites: whether a certificate that is there already is replaced; otherwise that is `fileExists`.
    @discardableResult
    public func issue(
        node: NodeID, role: Role, hosts: [String] = [], validity: CertificateValidity = .days(825),
        into directory: String, overwrites: Bool = false
    ) throws(TransportError) -> Certificate {
        let paths = (authority: directory + "/ca.pem", node: directory + "/node.pem", key: directory + "/node.key")
        try Self.refuseExisting([paths.node, paths.key], unless: overwrites)
        try Self.checkName(node)
        let alternativeNames = try Self.alternativeNames(hosts.isEmpty ? ["localhost", "127.0.0.1", "::1"] : hosts)
        let nodeKey = try PrivateKey.generate()
        var draft = try CertificateDraft(key: nodeKey, validity: validity, issuer: signer)
        try draft.setSubject([("O", "Colony"), ("OU", Certificate.rolePrefix + role.rawValue), ("CN", node.value)])
        try draft.add(NID_basic_constraints, "critical,CA:FALSE")
        try draft.add(NID_key_usage, "critical,digitalSignature")
        try draft.add(NID_ext_key_usage, "serverAuth,clientAuth")
        try draft.add(NID_subject_key_identifier, "hash")
        try draft.add(NID_authority_key_identifier, "keyid")
        try draft.add(NID_subject_alt_name, alternativeNames)
        let certificate = try draft.signed(by: key)
        try Files.makeDirectory(directory)
        try Files.write(try nodeKey.pem(), to: paths.key, permissions: 0o600)
        try Files.write(try certificate.pem(), to: paths.node, permissions: 0o644)
        try Files.write(try signer.pem(), to: paths.authority, permissions: 0o644)
        return Certificate(certificate)
    }

    private static func refuseExisting(_ paths: [String], unless overwrites: Bool) throws(TransportError) {
        guard !overwrites else { return }
        for path in paths where Files.exists(path) { throw .fileExists(path: path) }
    }

    private static func checkName(_ node: NodeID) throws(TransportError) {
        let name = node.value
        guard (1...Limits.Wire.nodeNameBytesMax).contains(name.utf8.count) else {
            throw .nameUnusable(name: name, reason: "a node's name has 1 to \(Limits.Wire.nodeNameBytesMax) bytes")
        }
        guard name.utf8.allSatisfy({ isLetterOrDigit($0) || "-_.".utf8.contains($0) }) else {
            throw .nameUnusable(name: name, reason: "a node's name has letters, digits, '-', '_' and '.' only")
        }
    }

    /// The extension's value in OpenSSL's syntax. Hosts are checked letter by letter: a comma would begin another
    /// entry.
    private static func alternativeNames(_ hosts: [String]) throws(TransportError) -> String {
        guard hosts.count <= Limits.Transport.certificateHostsMax else {
            throw .nameUnusable(
                name: hosts[Limits.Transport.certificateHostsMax],
                reason: "a certificate names at most \(Limits.Transport.certificateHostsMax) hosts")
        }
        var entries: [String] = []
        for host in hosts {
            var address = [UInt8](repeating: 0, count: 16)
            if inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1 {
                entries.append("IP:\(host)")
                continue
            }
            let isName = host.utf8.allSatisfy { isLetterOrDigit($0) || "-_.*".utf8.contains($0) }
            guard isName, (1...253).contains(host.utf8.count) else {
                throw .nameUnusable(name: host, reason: "it is neither a host name nor an address")
            }
            entries.append("DNS:\(host)")
        }
        return entries.joined(separator: ",")
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    private static func randomDigits() -> String {
        let number = UInt32.random(in: 0...UInt32.max)
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

/// A certificate that is not signed yet.
private struct CertificateDraft {
    private let certificate: X509Certificate
    private let issuer: X509Certificate

    /// - Parameter issuer: who will sign; nil: the certificate signs itself.
    init(key: PrivateKey, validity: CertificateValidity, issuer: X509Certificate? = nil) throws(TransportError) {
        OpenSSLErrors.clear()
        guard let pointer = X509_new() else { throw .tls(operation: "certificate", reason: OpenSSLErrors.take()) }
        certificate = X509Certificate(owning: pointer)
        self.issuer = issuer ?? certificate
        guard X509_set_version(pointer, 2) == 1, colony_set_random_serial(pointer) == 1,
            X509_gmtime_adj(X509_getm_notBefore(pointer), validity.startSeconds) != nil,
            X509_gmtime_adj(X509_getm_notAfter(pointer), validity.endSeconds) != nil,
            X509_set_pubkey(pointer, key.pointer) == 1
        else { throw .tls(operation: "certificate", reason: OpenSSLErrors.take()) }
    }

    mutating func setSubject(_ entries: [(field: String, value: String)]) throws(TransportError) {
        let name = X509_get_subject_name(certificate.pointer)
        for entry in entries {
            guard colony_name_add(name, entry.field, entry.value) == 1 else {
                throw .nameUnusable(name: entry.value, reason: OpenSSLErrors.take())
            }
        }
        guard X509_set_issuer_name(certificate.pointer, X509_get_subject_name(issuer.pointer)) == 1 else {
            throw .tls(operation: "issuer", reason: OpenSSLErrors.take())
        }
    }

    mutating func add(_ extensionNumber: Int32, _ value: String) throws(TransportError) {
        guard colony_add_extension(certificate.pointer, issuer.pointer, extensionNumber, value) == 1 else {
            throw .tls(operation: "certificate extension \(value)", reason: OpenSSLErrors.take())
        }
    }

    consuming func signed(by key: PrivateKey) throws(TransportError) -> X509Certificate {
        guard X509_sign(certificate.pointer, key.pointer, EVP_sha256()) > 0 else {
            throw .tls(operation: "sign", reason: OpenSSLErrors.take())
        }
        return certificate
    }
}
