import COpenSSL

/// The certificates, keys and rules that many TLS connections share (an `SSL_CTX`).
///
/// Immutable once made, and OpenSSL counts references atomically, so connections on any thread may be made from it:
/// that is what `@unchecked Sendable` rests on.
public final class TLSContext: @unchecked Sendable {
    /// Which end of a connection.
    public enum Side: Sendable {
        /// The end that dialled.
        case client
        /// The end that was dialled.
        case server
    }

    /// Oldest protocol version that is spoken; the newest is always TLS 1.3.
    public enum VersionMin: Sendable {
        /// For clients of the world.
        case tls12
        /// For our own processes.
        case tls13
    }

    /// Which end the connections of this context are.
    public let side: Side
    let pointer: OpaquePointer
    private let protocolList: UnsafeMutablePointer<colony_alpn_list>

    /// A server's context.
    ///
    /// - Parameters:
    ///   - certificatePath: PEM file with the certificate and what leads from it to its authority.
    ///   - keyPath: PEM file with the certificate's private key, without a password.
    ///   - clientAuthorityPath: PEM file with the authority that must have signed the client's certificate; nil:
    ///     clients show none.
    ///   - versionMin: oldest protocol version.
    ///   - alpn: application protocols, favourite first, e.g. `["h2", "http/1.1"]`; empty: not negotiated. A client
    ///     that offers none of them is served without one.
    public convenience init(
        serverCertificatePath certificatePath: String, keyPath: String, clientAuthorityPath: String? = nil,
        versionMin: VersionMin = .tls12, alpn: [String] = []
    ) throws(TransportError) {
        try self.init(side: .server, versionMin: versionMin, alpn: alpn)
        try useCertificate(path: certificatePath, keyPath: keyPath)
        if let clientAuthorityPath { try trust(path: clientAuthorityPath) }
    }

    /// A client's context.
    ///
    /// - Parameters:
    ///   - authorityPath: PEM file with the authority that must have signed the server's certificate.
    ///   - certificate: PEM files with the client's own certificate and key; nil: it shows none.
    ///   - versionMin: oldest protocol version.
    ///   - alpn: application protocols to offer, favourite first; empty: none.
    public convenience init(
        clientAuthorityPath authorityPath: String, certificate: (path: String, keyPath: String)? = nil,
        versionMin: VersionMin = .tls12, alpn: [String] = []
    ) throws(TransportError) {
        try self.init(side: .client, versionMin: versionMin, alpn: alpn)
        try trust(path: authorityPath)
        if let certificate { try useCertificate(path: certificate.path, keyPath: certificate.keyPath) }
    }

    private init(side: Side, versionMin: VersionMin, alpn: [String]) throws(TransportError) {
        OpenSSLErrors.clear()
        let method = side == .client ? TLS_client_method() : TLS_server_method()
        guard let pointer = SSL_CTX_new(method) else {
            throw .tls(operation: "context", reason: OpenSSLErrors.take())
        }
        self.side = side
        self.pointer = pointer
        protocolList = .allocate(capacity: 1)
        protocolList.initialize(to: colony_alpn_list(protocols: nil, byte_count: 0))
        colony_ssl_ctx_harden(pointer)
        colony_ssl_ctx_refuse_passwords(pointer)
        SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
        let oldest = versionMin == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
        let ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
        guard colony_ssl_ctx_set_versions(pointer, oldest, TLS1_3_VERSION) == 1,
            SSL_CTX_set_ciphersuites(pointer, ciphers) == 1
        else { throw .tls(operation: "context", reason: OpenSSLErrors.take()) }
        switch versionMin {
        case .tls12: colony_ssl_ctx_release_idle_buffers(pointer)
        case .tls13: colony_ssl_ctx_disable_tickets(pointer)
        }
        try offer(alpn)
    }

    deinit {
        SSL_CTX_free(pointer)
        protocolList.pointee.protocols?.deallocate()
        protocolList.deallocate()
    }

    private func useCertificate(path: String, keyPath: String) throws(TransportError) {
        OpenSSLErrors.clear()
        guard SSL_CTX_use_certificate_chain_file(pointer, path) == 1 else {
            throw .certificateUnusable(path: path, reason: OpenSSLErrors.take())
        }
        guard SSL_CTX_use_PrivateKey_file(pointer, keyPath, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_check_private_key(pointer) == 1
        else { throw .certificateUnusable(path: keyPath, reason: OpenSSLErrors.take()) }
    }

    /// The other side must show a certificate of this authority.
    private func trust(path: String) throws(TransportError) {
        OpenSSLErrors.clear()
        guard SSL_CTX_load_verify_locations(pointer, path, nil) == 1 else {
            throw .certificateUnusable(path: path, reason: OpenSSLErrors.take())
        }
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    private func offer(_ alpn: [String]) throws(TransportError) {
        guard !alpn.isEmpty else { return }
        var wire: [UInt8] = []
        for name in alpn {
            guard (1...255).contains(name.utf8.count) else {
                throw .nameUnusable(name: name, reason: "an application protocol has 1 to 255 bytes")
            }
            wire.append(UInt8(name.utf8.count))
            wire.append(contentsOf: name.utf8)
        }
        switch side {
        case .client:
            // Unlike nearly everything in OpenSSL this call answers 0 for success.
            guard SSL_CTX_set_alpn_protos(pointer, wire, UInt32(wire.count)) == 0 else {
                throw .tls(operation: "application protocols", reason: OpenSSLErrors.take())
            }
        case .server:
            let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: wire.count)
            copy.initialize(from: wire, count: wire.count)
            protocolList.pointee = colony_alpn_list(protocols: copy, byte_count: UInt32(wire.count))
            colony_ssl_ctx_set_alpn_server(pointer, protocolList)
        }
    }
}
