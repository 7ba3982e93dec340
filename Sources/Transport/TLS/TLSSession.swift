import COpenSSL

/// One TLS connection without a socket: ciphertext goes in and comes out of memory, whoever owns the socket moves it.
///
/// ```
///   recv ──▶ feed ──▶ ┌─────────┐ ──▶ read  ──▶ plaintext
///                     │ session │
///   send ◀── drain ◀─ └─────────┘ ◀── write ◀── plaintext
/// ```
///
/// **Not thread-safe**: the owner lets one call happen at a time (a lock, a queue). It is `@unchecked Sendable` so that
/// owners that do may be Sendable.
///
/// After *any* call, also one that throws, ciphertext may wait to be sent (`pendingCiphertextByteCount`): answers of
/// the handshake, or the alert that tells the other side what was wrong with it.
public final class TLSSession: @unchecked Sendable {
    /// What `read` found.
    public enum ReadResult: Equatable, Sendable {
        /// This many bytes of plaintext, at least 1.
        case bytes(Int)
        /// The other side ended its half of the connection in the proper way.
        case closed
        /// Nothing until more ciphertext is fed.
        case needsCiphertext
    }

    private let context: TLSContext
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    /// Whether the handshake is complete.
    public private(set) var isEstablished = false

    /// A new connection; a client's first flight waits to be sent after the first `advanceHandshake`.
    ///
    /// - Parameter serverName: client only: the host name to ask for and to find in the certificate; nil: any name will
    ///   do as long as the authority has signed it.
    public init(_ context: TLSContext, serverName: String? = nil) throws(TransportError) {
        OpenSSLErrors.clear()
        guard let ssl = SSL_new(context.pointer) else {
            throw .tls(operation: "session", reason: OpenSSLErrors.take())
        }
        guard let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
            SSL_free(ssl)
            throw .tls(operation: "session", reason: OpenSSLErrors.take())
        }
        SSL_set_bio(ssl, incoming, outgoing)  // `ssl` owns both from here on
        self.context = context
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        switch context.side {
        case .client: SSL_set_connect_state(ssl)
        case .server: SSL_set_accept_state(ssl)
        }
        if let serverName { try expect(serverName) }
    }

    deinit { SSL_free(ssl) }

    /// Hands over ciphertext that came from the other side, all of it.
    public func feed(_ ciphertext: UnsafeRawBufferPointer) throws(TransportError) {
        guard let base = ciphertext.baseAddress, !ciphertext.isEmpty else { return }
        var written = 0
        OpenSSLErrors.clear()
        guard BIO_write_ex(incoming, base, ciphertext.count, &written) == 1, written == ciphertext.count else {
            throw .tls(operation: "feed", reason: OpenSSLErrors.take())
        }
    }

    /// Goes on with the handshake as far as the ciphertext that was fed allows.
    ///
    /// - Returns: whether the handshake is complete.
    @discardableResult
    public func advanceHandshake() throws(TransportError) -> Bool {
        guard !isEstablished else { return true }
        OpenSSLErrors.clear()
        let outcome = SSL_do_handshake(ssl)
        if outcome == 1 {
            isEstablished = true
            return true
        }
        switch SSL_get_error(ssl, outcome) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return false
        default: throw .tls(operation: "handshake", reason: failureReason())
        }
    }

    /// Takes plaintext, at most `destination.count` bytes of it. Completes the handshake first where it is not
    /// complete.
    public func read(into destination: UnsafeMutableRawBufferPointer) throws(TransportError) -> ReadResult {
        guard let base = destination.baseAddress, !destination.isEmpty else { return .needsCiphertext }
        guard try advanceHandshake() else { return .needsCiphertext }
        OpenSSLErrors.clear()
        var count = 0
        let outcome = SSL_read_ex(ssl, base, destination.count, &count)
        if outcome == 1 { return .bytes(count) }
        switch SSL_get_error(ssl, outcome) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .needsCiphertext
        case SSL_ERROR_ZERO_RETURN: return .closed
        default: throw .tls(operation: "read", reason: failureReason())
        }
    }

    /// Encrypts all of `plaintext`, in records of at most 16 KiB. Only after the handshake.
    public func write(_ plaintext: UnsafeRawBufferPointer) throws(TransportError) {
        guard let base = plaintext.baseAddress, !plaintext.isEmpty else { return }
        guard isEstablished else { throw .tls(operation: "write", reason: "the handshake is not complete") }
        OpenSSLErrors.clear()
        var written = 0
        // A memory BIO takes everything, so that a write is never partial.
        guard SSL_write_ex(ssl, base, plaintext.count, &written) == 1, written == plaintext.count else {
            throw .tls(operation: "write", reason: failureReason())
        }
    }

    /// Bytes of ciphertext that wait to be sent to the other side.
    public var pendingCiphertextByteCount: Int { colony_bio_pending(outgoing) }

    /// Moves ciphertext that waits to be sent into `destination`.
    ///
    /// - Returns: how many bytes; 0 if none wait.
    public func drain(into destination: UnsafeMutableRawBufferPointer) -> Int {
        guard let base = destination.baseAddress, !destination.isEmpty else { return 0 }
        var count = 0
        return BIO_read_ex(outgoing, base, destination.count, &count) == 1 ? count : 0
    }

    /// Takes all ciphertext that waits to be sent.
    public func drain() -> [UInt8] {
        let pending = pendingCiphertextByteCount
        guard pending > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: pending) { buffer, count in
            count = drain(into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    /// Ends this side's half of the connection in the proper way: leaves the closing alert to be sent.
    public func shutdown() {
        guard isEstablished else { return }
        OpenSSLErrors.clear()
        _ = SSL_shutdown(ssl)
        OpenSSLErrors.clear()
    }

    /// The application protocol that both sides agreed on; nil before the handshake, or if there is none.
    public var negotiatedProtocol: String? {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &bytes, &count)
        guard let bytes, count > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
    }

    /// The protocol version and cipher in use, e.g. `TLSv1.3 TLS_AES_128_GCM_SHA256`.
    public var cipherDescription: String {
        let version = SSL_get_version(ssl).map { String(cString: $0) } ?? "?"
        let cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? "?"
        return "\(version) \(cipher)"
    }

    private func expect(_ serverName: String) throws(TransportError) {
        OpenSSLErrors.clear()
        // An address is compared with the certificate's addresses and is never sent as a name to ask for.
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), serverName) == 1 { return }
        OpenSSLErrors.clear()
        guard colony_ssl_set_host_name(ssl, serverName) == 1, SSL_set1_host(ssl, serverName) == 1 else {
            throw .tls(operation: "server name", reason: OpenSSLErrors.take())
        }
    }

    /// Why the last call failed: what is wrong with the other side's certificate if that is it, else OpenSSL's reason.
    private func failureReason() -> String {
        let reason = OpenSSLErrors.take()
        let verdict = SSL_get_verify_result(ssl)
        guard verdict != Int(X509_V_OK), let text = X509_verify_cert_error_string(verdict) else { return reason }
        return "\(reason): \(String(cString: text))"
    }
}

extension TLSSession {
    /// The other side's certificate; nil before the handshake, or if it showed none.
    func withPeerCertificate<Result>(_ body: (OpaquePointer) -> Result) -> Result? {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return nil }
        defer { X509_free(certificate) }
        return body(certificate)
    }
}
