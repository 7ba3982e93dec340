/// TLS as a connection sees it: ciphertext from the socket in, plaintext out, and the other way round. It touches no
/// socket itself.
protocol SecurePipe: AnyObject {
    /// Takes bytes from the socket and hands on the plaintext in them; true if the client said goodbye. Answers of the
    /// handshake wait for `takeWire`.
    func receive(_ wire: UnsafeRawBufferPointer, deliver: (UnsafeRawBufferPointer) -> Void) throws(HTTPError) -> Bool
    /// Encrypts bytes; the result waits for `takeWire`.
    func send(_ plaintext: [UInt8]) throws(HTTPError)
    /// Appends the bytes that are to go to the socket.
    func takeWire(into outbox: inout [UInt8])
    /// Says goodbye; the bytes wait for `takeWire`.
    func close()
    /// The protocol that was agreed on; nil before that, empty if the client offered none.
    var agreedProtocol: String? { get }
}
