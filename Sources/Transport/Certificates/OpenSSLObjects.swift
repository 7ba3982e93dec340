import Basics
import COpenSSL

/// Owns an `X509`. Not changed once it is signed; OpenSSL locks what it caches inside.
final class X509Certificate: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes ownership.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { X509_free(pointer) }

    /// Reads the first certificate of a PEM file.
    static func load(path: String) throws(TransportError) -> X509Certificate {
        let bio = try MemoryBIO(try Files.read(path, bytesMax: Limits.Transport.certificateFileBytesMax))
        OpenSSLErrors.clear()
        guard let pointer = PEM_read_bio_X509(bio.pointer, nil, nil, nil) else {
            throw .certificateUnusable(path: path, reason: "no certificate in it (\(OpenSSLErrors.take()))")
        }
        return X509Certificate(owning: pointer)
    }

    /// The certificate as PEM.
    func pem() throws(TransportError) -> [UInt8] {
        let bio = try MemoryBIO()
        guard PEM_write_bio_X509(bio.pointer, pointer) == 1 else {
            throw .tls(operation: "write certificate", reason: OpenSSLErrors.take())
        }
        return bio.bytes
    }
}

/// Owns a private key.
final class PrivateKey: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes ownership.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { EVP_PKEY_free(pointer) }

    /// A new key on the curve P-256.
    static func generate() throws(TransportError) -> PrivateKey {
        OpenSSLErrors.clear()
        guard let pointer = colony_generate_key() else {
            throw .tls(operation: "generate key", reason: OpenSSLErrors.take())
        }
        return PrivateKey(owning: pointer)
    }

    /// Reads a PEM file; a key with a password is refused.
    static func load(path: String) throws(TransportError) -> PrivateKey {
        let bio = try MemoryBIO(try Files.read(path, bytesMax: Limits.Transport.certificateFileBytesMax))
        OpenSSLErrors.clear()
        guard let pointer = colony_read_private_key(bio.pointer) else {
            throw .certificateUnusable(path: path, reason: "no usable private key in it (\(OpenSSLErrors.take()))")
        }
        return PrivateKey(owning: pointer)
    }

    /// The key as PEM, without a password.
    func pem() throws(TransportError) -> [UInt8] {
        let bio = try MemoryBIO()
        guard PEM_write_bio_PrivateKey(bio.pointer, pointer, nil, nil, 0, nil, nil) == 1 else {
            throw .tls(operation: "write key", reason: OpenSSLErrors.take())
        }
        return bio.bytes
    }
}

/// Owns a memory BIO: OpenSSL's way of reading from and writing to memory.
final class MemoryBIO {
    let pointer: OpaquePointer

    init(_ content: [UInt8] = []) throws(TransportError) {
        guard let pointer = BIO_new(BIO_s_mem()) else {
            throw .tls(operation: "memory", reason: OpenSSLErrors.take())
        }
        self.pointer = pointer
        guard content.isEmpty || BIO_write(pointer, content, Int32(content.count)) == Int32(content.count) else {
            throw .tls(operation: "memory", reason: OpenSSLErrors.take())
        }
    }

    deinit { BIO_free(pointer) }

    /// What it holds.
    var bytes: [UInt8] { Certificate.bytes(of: pointer) }
}
