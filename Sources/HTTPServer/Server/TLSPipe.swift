import Transport

/// TLS by the transport's sessions over memory, offering both versions of HTTP.
final class TLSPipe: SecurePipe {
    private let session: TLSSession

    /// Loads the files once; what is returned makes the pipe of each connection.
    static func factory(
        certificatePath: String, keyPath: String
    ) throws(HTTPError) -> @Sendable () throws(HTTPError) -> any SecurePipe {
        do throws(TransportError) {
            let context = try TLSContext(
                serverCertificatePath: certificatePath, keyPath: keyPath, alpn: ["h2", "http/1.1"])
            return { () throws(HTTPError) -> any SecurePipe in try TLSPipe(context) }
        } catch {
            throw .tlsConfiguration(reason: error.description)
        }
    }

    private init(_ context: TLSContext) throws(HTTPError) {
        do throws(TransportError) {
            session = try TLSSession(context)
        } catch {
            throw .tlsConfiguration(reason: error.description)
        }
    }

    var agreedProtocol: String? { session.isEstablished ? session.negotiatedProtocol ?? "" : nil }

    func receive(
        _ wire: UnsafeRawBufferPointer, deliver: (UnsafeRawBufferPointer) -> Void
    ) throws(HTTPError) -> Bool {
        do throws(TransportError) {
            try session.feed(wire)
            return try withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 16) {
                buffer throws(TransportError) -> Bool in
                while true {
                    switch try session.read(into: buffer) {
                    case .bytes(let count): deliver(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    case .closed: return true
                    case .needsCiphertext: return false
                    }
                }
            }
        } catch {
            throw .tlsFailed(reason: error.description)
        }
    }

    func send(_ plaintext: [UInt8]) throws(HTTPError) {
        do throws(TransportError) {
            try plaintext.withUnsafeBufferPointer { bytes throws(TransportError) in
                try session.write(UnsafeRawBufferPointer(bytes))
            }
        } catch {
            throw .tlsFailed(reason: error.description)
        }
    }

    func takeWire(into outbox: inout [UInt8]) { outbox += session.drain() }

    func close() { session.shutdown() }
}
