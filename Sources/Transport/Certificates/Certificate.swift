import Basics
import COpenSSL
import Glibc
public import Wire

/// A certificate as people and checks look at it.
///
/// What a cluster's certificate says, and where:
/// - the subject's common name (CN) is the name of the node;
/// - one organisational unit (OU) is `colony-role=` and the role;
/// - the subject alternative names are the hosts at which clients of the gateway may expect it.
public struct Certificate: Equatable, Sendable {
    /// The subject, e.g. `CN=worker-1,OU=colony-role=worker,O=Colony`.
    public let subject: String
    /// The subject's common name.
    public let commonName: String
    /// The role; nil for authorities and for certificates that are not a cluster's.
    public let role: Role?
    /// Host names and addresses.
    public let hosts: [String]
    /// Whether it may sign others.
    public let isAuthority: Bool
    /// First moment of validity, in seconds since 1970.
    public let validFromSeconds: Int64
    /// Last moment of validity, in seconds since 1970.
    public let validUntilSeconds: Int64
    /// SHA-256 of the certificate, hexadecimal with colons.
    public let fingerprint: String

    /// What marks the organisational unit that carries the role.
    static let rolePrefix = "colony-role="

    /// Reads the first certificate of a PEM file.
    public static func load(path: String) throws(TransportError) -> Certificate {
        Certificate(try X509Certificate.load(path: path))
    }

    init(_ certificate: X509Certificate) {
        self.init(certificate.pointer)
    }

    init(_ pointer: OpaquePointer) {
        let name = X509_get_subject_name(pointer)
        subject = Certificate.oneLine(name)
        commonName = Certificate.entries(of: name, nid: NID_commonName).last ?? ""
        let roles = Certificate.entries(of: name, nid: NID_organizationalUnitName)
            .filter { $0.hasPrefix(Certificate.rolePrefix) }
        // Two roles in one certificate are none: it must be clear what its owner may do.
        role = roles.count == 1 ? Role(rawValue: String(roles[0].dropFirst(Certificate.rolePrefix.count))) : nil
        hosts = Certificate.alternativeNames(of: pointer)
        isAuthority = X509_check_ca(pointer) == 1
        validFromSeconds = colony_unix_seconds(X509_get0_notBefore(pointer))
        validUntilSeconds = colony_unix_seconds(X509_get0_notAfter(pointer))
        fingerprint = Certificate.digest(of: pointer)
    }

    /// The node that the certificate is for; fails for certificates that are not a node's.
    func identity() throws(CertificateFlaw) -> (node: NodeID, role: Role) {
        guard !commonName.isEmpty else { throw CertificateFlaw("its subject \(subject) has no common name") }
        guard let role else {
            throw CertificateFlaw("its subject \(subject) has not exactly one OU=\(Certificate.rolePrefix)ROLE")
        }
        return (NodeID(commonName), role)
    }
}

/// What keeps a certificate from being a node's, in words.
struct CertificateFlaw: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

extension Certificate {
    private static func oneLine(_ name: OpaquePointer?) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        guard colony_name_print(bio, name) == 1 else { return "" }
        return String(decoding: bytes(of: bio), as: UTF8.self)
    }

    /// What a memory BIO holds.
    static func bytes(of bio: OpaquePointer) -> [UInt8] {
        var count = 0
        guard let base = colony_bio_peek(bio, &count) else { return [] }
        return Array(UnsafeBufferPointer(start: base, count: count))
    }

    private static func entries(of name: OpaquePointer?, nid: Int32) -> [String] {
        var entries: [String] = []
        var index: Int32 = -1
        while true {
            index = X509_NAME_get_index_by_NID(name, nid, index)
            guard index >= 0 else { return entries }
            let text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index))
            var utf8: UnsafeMutablePointer<UInt8>?
            let count = ASN1_STRING_to_UTF8(&utf8, text)
            guard count >= 0, let utf8 else { continue }
            entries.append(String(decoding: UnsafeBufferPointer(start: utf8, count: Int(count)), as: UTF8.self))
            CRYPTO_free(utf8, nil, 0)
        }
    }

    private static func alternativeNames(of pointer: OpaquePointer) -> [String] {
        guard let names = colony_alternative_names(pointer) else { return [] }
        defer { GENERAL_NAMES_free(names) }
        var hosts: [String] = []
        for index in 0..<colony_alternative_name_count(names) {
            var base: UnsafePointer<UInt8>?
            var count: Int32 = 0
            let kind = colony_alternative_name(names, index, &base, &count)
            guard let base, count > 0 else { continue }
            let bytes = UnsafeBufferPointer(start: base, count: Int(count))
            switch kind {
            case 1: hosts.append(String(decoding: bytes, as: UTF8.self))
            case 2: hosts.append(addressText(bytes))
            default: break
            }
        }
        return hosts
    }

    private static func addressText(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard bytes.count == 4 || bytes.count == 16,
            inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil
        else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func digest(of pointer: OpaquePointer) -> String {
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard X509_digest(pointer, EVP_sha256(), &bytes, &count) == 1 else { return "" }
        let digits = bytes.prefix(Int(count)).map { byte in
            let text = String(byte, radix: 16, uppercase: true)
            return text.count == 1 ? "0" + text : text
        }
        return digits.joined(separator: ":")
    }
}
