import COpenSSL

/// TLS as plain as can be: OpenSSL on a blocking socket, certificates on both sides.
final class BlockingTLS {
    private let ssl: OpaquePointer
    private let context: OpaquePointer
    private let socket: PlainSocket

    /// Completes the handshake.
    ///
    /// - Parameter directory: with ca.pem, node.pem and node.key.
    init(socket: PlainSocket, directory: String, isServer: Bool) throws {
        guard let context = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw MeasurementError("SSL_CTX_new failed")
        }
        guard SSL_CTX_use_certificate_chain_file(context, directory + "/node.pem") == 1,
            SSL_CTX_use_PrivateKey_file(context, directory + "/node.key", SSL_FILETYPE_PEM) == 1,
            SSL_CTX_load_verify_locations(context, directory + "/ca.pem", nil) == 1,
            SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1,
            colony_ssl_ctx_set_versions(context, TLS1_3_VERSION, TLS1_3_VERSION) == 1
        else { throw MeasurementError("cannot use the certificates in \(directory)") }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        colony_ssl_ctx_disable_tickets(context)
        guard let ssl = SSL_new(context), SSL_set_fd(ssl, socket.descriptor) == 1 else {
            throw MeasurementError("SSL_new failed")
        }
        guard (isServer ? SSL_accept(ssl) : SSL_connect(ssl)) == 1 else {
            throw MeasurementError("TLS handshake failed")
        }
        self.context = context
        self.ssl = ssl
        self.socket = socket
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    /// Sends everything; false if the other side is gone.
    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var count = 0
        return SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &count) == 1
    }

    /// Receives exactly so much; false if the other side is gone.
    func receive(into bytes: UnsafeMutableRawBufferPointer) -> Bool {
        var offset = 0
        while offset < bytes.count {
            var count = 0
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])
            guard SSL_read_ex(ssl, rest.baseAddress, rest.count, &count) == 1 else { return false }
            offset += count
        }
        return true
    }
}
