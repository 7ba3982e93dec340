/// TLS comes with the transport.
enum TLSPipe {
    static func factory(
        certificatePath: String, keyPath: String
    ) throws(HTTPError) -> @Sendable () throws(HTTPError) -> any SecurePipe {
        throw .tlsConfiguration(reason: "not built in")
    }
}
