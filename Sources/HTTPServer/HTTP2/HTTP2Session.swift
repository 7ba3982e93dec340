final class HTTP2Session: HTTPSession {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    weak var connection: Connection?
    init(connection: Connection) throws(HTTPError) { self.connection = connection }
    func receive(_ bytes: UnsafeRawBufferPointer) {}
    func produce(into outbox: inout [UInt8]) {}
    func peerDidEnd() {}
    func tick(now: Int) {}
    func shutDown() {}
    func connectionDidClose() {}
    var wantsRead: Bool { true }
    var isDone: Bool { true }
    var lingers: Bool { false }
}
