import Basics
import Testing
import Transport
import Wire

struct TLSSessionTests {
    @Test func bytesOfManySizesComeThrough() throws {
        let pair = try SessionPair()
        try pair.handshake()
        for count in [1, 100, 16383, 16384, 16385, 65536, 1 << 20] {
            let sent = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try sent.withUnsafeBytes { try pair.client.write($0) }
            #expect(try pair.received(by: pair.server, from: pair.client) == sent)
            try sent.withUnsafeBytes { try pair.server.write($0) }
            #expect(try pair.received(by: pair.client, from: pair.server) == sent)
        }
        #expect(pair.client.cipherDescription == "TLSv1.3 TLS_AES_128_GCM_SHA256")
    }

    @Test func closingIsTold() throws {
        let pair = try SessionPair()
        try pair.handshake()
        pair.client.shutdown()
        var buffer = [UInt8](repeating: 0, count: 16)
        try pair.move(from: pair.client, to: pair.server)
        #expect(try buffer.withUnsafeMutableBytes { try pair.server.read(into: $0) } == .closed)
    }

    @Test(arguments: [
        (["h2", "http/1.1"], ["h2", "http/1.1"], "h2"),
        (["http/1.1", "h2"], ["h2", "http/1.1"], "h2"),
        (["http/1.1"], ["h2", "http/1.1"], "http/1.1"),
        (["http/1.0"], ["h2", "http/1.1"], nil),
        ([], ["h2"], nil),
        (["h2"], [], nil),
    ])
    func serverChoosesTheProtocol(offered: [String], served: [String], chosen: String?) throws {
        let pair = try SessionPair(offered: offered, served: served)
        try pair.handshake()
        #expect(pair.server.negotiatedProtocol == chosen)
        #expect(pair.client.negotiatedProtocol == chosen)
    }

    @Test func aServerOfTheWorldAsksForNoCertificate() throws {
        let pair = try SessionPair(isMutual: false)
        try pair.handshake()
        #expect(pair.client.isEstablished && pair.server.isEstablished)
    }

    @Test(arguments: [
        ("localhost", true), ("127.0.0.1", true), ("::1", true), ("example.org", false), ("127.0.0.9", false),
    ])
    func theClientChecksTheHostItAskedFor(host: String, isRight: Bool) throws {
        let pair = try SessionPair(isMutual: false, serverName: host)
        if isRight {
            try pair.handshake()
        } else {
            let error = #expect(throws: TransportError.self) { try pair.handshake() }
            #expect(error?.description.contains("mismatch") == true, "\(String(describing: error))")
        }
    }

    @Test func garbageInsteadOfAHandshakeIsAnErrorWithAReason() throws {
        let pair = try SessionPair()
        try Array("GET / HTTP/1.1\r\n\r\n".utf8).withUnsafeBytes { try pair.server.feed($0) }
        let error = #expect(throws: TransportError.self) { try pair.server.advanceHandshake() }
        #expect(error == .tls(operation: "handshake", reason: "http request"))
    }

    @Test func aChangedByteIsNoticed() throws {
        let pair = try SessionPair()
        try pair.handshake()
        try [UInt8](repeating: 7, count: 1000).withUnsafeBytes { try pair.client.write($0) }
        var ciphertext = pair.client.drain()
        ciphertext[500] ^= 1
        try ciphertext.withUnsafeBytes { try pair.server.feed($0) }
        var buffer = [UInt8](repeating: 0, count: 2000)
        #expect(throws: TransportError.self) {
            try buffer.withUnsafeMutableBytes { try pair.server.read(into: $0) }
        }
        #expect(pair.server.pendingCiphertextByteCount > 0, "the alert waits to be sent")
    }

    @Test func filesThatAreNoCertificatesAreNamed() throws {
        let cluster = try TestCluster()
        let directory = try cluster.issue("worker-1", .worker)
        let missing = #expect(throws: TransportError.self) {
            try TLSContext(serverCertificatePath: directory + "/none.pem", keyPath: directory + "/node.key")
        }
        #expect(missing?.description.contains(directory + "/none.pem") == true)
        let swapped = #expect(throws: TransportError.self) {
            try TLSContext(
                serverCertificatePath: directory + "/node.pem", keyPath: cluster.directory + "/authority/ca.key")
        }
        #expect(swapped?.description.contains("ca.key") == true)
    }
}

/// Both ends of a connection, joined by hand.
private struct SessionPair {
    let cluster: TestCluster
    let client: TLSSession
    let server: TLSSession

    init(offered: [String] = [], served: [String] = [], isMutual: Bool = true, serverName: String? = nil) throws {
        cluster = try TestCluster()
        let one = try cluster.issue("coordinator", .coordinator)
        let two = try cluster.issue("worker-1", .worker)
        let serverContext = try TLSContext(
            serverCertificatePath: two + "/node.pem", keyPath: two + "/node.key",
            clientAuthorityPath: isMutual ? two + "/ca.pem" : nil, alpn: served)
        let clientContext = try TLSContext(
            clientAuthorityPath: one + "/ca.pem", certificate: isMutual ? (one + "/node.pem", one + "/node.key") : nil,
            alpn: offered)
        client = try TLSSession(clientContext, serverName: serverName)
        server = try TLSSession(serverContext)
    }

    func move(from source: TLSSession, to destination: TLSSession) throws {
        try source.drain().withUnsafeBytes { try destination.feed($0) }
    }

    func handshake() throws {
        for _ in 0..<10 where !(client.isEstablished && server.isEstablished) {
            try client.advanceHandshake()
            try move(from: client, to: server)
            try server.advanceHandshake()
            try move(from: server, to: client)
        }
        #expect(client.isEstablished && server.isEstablished)
    }

    func received(by receiver: TLSSession, from sender: TLSSession) throws -> [UInt8] {
        try move(from: sender, to: receiver)
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 10000)
        while case .bytes(let count) = try buffer.withUnsafeMutableBytes({ try receiver.read(into: $0) }) {
            all += buffer[0..<count]
        }
        return all
    }
}
