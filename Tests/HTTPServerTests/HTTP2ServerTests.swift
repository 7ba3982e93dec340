import Basics
import Foundation
import HTTPServer
import Synchronization
import Testing
import Transport
import Wire

@Suite struct HTTP2ServerTests {
    @Test(.enabled(if: Program.isInstalled(Program.curl)), arguments: [1, 3_000_000])
    func curlByPriorKnowledge(_ byteCount: Int) async throws {
        let directory = try TemporaryDirectory()
        try Data(repeating: 65, count: byteCount).write(to: URL(fileURLWithPath: directory.path + "/body"))
        try await withServer(handler: echo) { listener in
            let result = try #require(
                try runProgram(
                    Program.curl,
                    [
                        "-s", "--http2-prior-knowledge", "--data-binary", "@\(directory.path)/body", "-w",
                        "|%{http_version} %{http_code}", "http://127.0.0.1:\(listener.port)/a?b=c",
                    ]))
            #expect(result.output.hasPrefix("POST /a?b=c \(byteCount) A"))
            #expect(result.output.hasSuffix("A|2 200"))
            #expect(result.output.utf8.count == byteCount + 19 + String(byteCount).utf8.count)
        }
    }

    /// An offer to upgrade (RFC 7540, withdrawn by RFC 9113) is ignored.
    @Test(.enabled(if: Program.isInstalled(Program.curl)))
    func upgradeIsIgnored() async throws {
        try await withServer(handler: echo) { listener in
            let url = "http://127.0.0.1:\(listener.port)/"
            let result = try #require(try runProgram(Program.curl, ["-s", "--http2", "-w", "%{http_version}", url]))
            #expect(result.output == "GET /? 0 1.1")
        }
    }

    @Test(.enabled(if: Program.isInstalled(Program.curl)))
    func curlHead() async throws {
        try await withServer(handler: echo) { listener in
            let url = "http://127.0.0.1:\(listener.port)/"
            let result = try #require(
                try runProgram(Program.curl, ["-s", "-I", "--http2-prior-knowledge", url]))
            #expect(result.output.hasPrefix("HTTP/2 200"))
            #expect(result.output.contains("content-length: 10"))
        }
    }

    @Test(.enabled(if: Program.isInstalled(Program.curl)))
    func tooMuchIsRefused() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.bodyBytesMax = 1000
        configuration.limits.headerBytesMax = 2000
        configuration.limits.requestLineBytesMax = 500
        try await withServer(configuration, handler: echo) { listener in
            func status(_ arguments: [String], path: String) throws -> String? {
                let url = "http://127.0.0.1:\(listener.port)\(path)"
                let common = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge"]
                return try runProgram(Program.curl, common + arguments + [url])?.output
            }
            let long = String(repeating: "a", count: 3000)
            let cases: [([String], path: String, expected: String)] = [
                (["-d", long], "/", "413"), (["-d", long, "-H", "content-length:"], "/", "413"),
                (["-H", "x: \(long)"], "/", "431"), ([], "/\(long.prefix(1000))", "414"), (["-d", "a"], "/", "200"),
            ]
            for (arguments, path, expected) in cases {
                let found = try status(arguments, path: path)
                #expect(found == expected, "\(arguments.prefix(1)) \(path.prefix(10))")
            }
        }
    }

    @Test(.enabled(if: Program.isInstalled(Program.nghttp)))
    func nghttpFetchesManyAtOnce() async throws {
        try await withServer(handler: echo) { listener in
            let urls = (0..<20).map { "http://127.0.0.1:\(listener.port)/\($0)" }
            let result = try #require(try runProgram(Program.nghttp, ["-nv"] + urls))
            #expect(result.status == 0)
            #expect(result.output.matches(of: /:status: 200/).count == 20)
        }
    }

    @Test(.enabled(if: Program.isInstalled(Program.h2load)), arguments: [(1, 1000), (20, 10), (100, 1)])
    func manyStreamsAtOnce(_ clients: Int, _ streams: Int) async throws {
        let count = clients * streams
        let waiting = Gate(count: count)
        try await withServer(handler: { _, response in
            response.start(status: 200, headers: [("content-type", "text/event-stream")])
            response.write(Array("data: first\n\n".utf8))
            // Nobody is let through before all are here: they really are open at once.
            waiting.arrive {
                response.write(Array("data: second\n\n".utf8))
                response.finish()
            }
        }) { listener in
            let result = try #require(
                try runProgram(
                    Program.h2load,
                    ["-n", "\(count)", "-c", "\(clients)", "-m", "\(streams)", "http://127.0.0.1:\(listener.port)/"]))
            #expect(result.output.contains("\(count) succeeded, 0 failed"))
        }
    }

    @Test(.enabled(if: Program.isInstalled(Program.curl)))
    func disconnectFiresOnClose() async throws {
        let closed = Awaited<Bool>()
        try await withServer(handler: { _, response in
            response.onClose { closed.set(true) }
            response.start(status: 200, headers: [])
            response.write(Array("x".utf8))
        }) { listener in
            for version in ["--http2-prior-knowledge", "--http1.1"] {
                let url = "http://127.0.0.1:\(listener.port)/"
                _ = try runProgram(Program.curl, ["-s", "-N", "--max-time", "0.3", version, url])
                #expect(closed.wait() == true)
            }
        }
    }

    @Test(.enabled(if: Program.isInstalled(Program.curl)), arguments: [("--http2", "2"), ("--http1.1", "1.1")])
    func tlsByALPN(_ option: String, _ version: String) async throws {
        let directory = try TemporaryDirectory()
        let configuration = try tlsConfiguration(directory)
        try await withServer(
            configuration,
            handler: { request, response in
                response.send(
                    status: 200, headers: [], body: Array("\(request.isEncrypted) \(request.body.count)".utf8))
            }
        ) { listener in
            let body = [UInt8](repeating: 66, count: 500_000)
            let result = try #require(
                try runProgram(
                    Program.curl,
                    [
                        "-sk", option, "--data-binary", "@-", "-w", "|%{http_version}",
                        "https://127.0.0.1:\(listener.port)/",
                    ], input: body))
            #expect(result.output == "true 500000|\(version)")
        }
    }

    @Test func garbageInsteadOfTLSIsClosed() async throws {
        let directory = try TemporaryDirectory()
        let configuration = try tlsConfiguration(directory)
        try await withServer(configuration, handler: echo) { listener in
            for garbage in [Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), [UInt8](repeating: 0xA5, count: 5000)] {
                let client = try RawClient(port: listener.port)
                client.send(garbage)
                _ = client.receiveToEnd()
                #expect(client.hasEnded)
            }
        }
    }

    @Test func unusableCertificateIsNamed() {
        let configuration = HTTPConfiguration(
            host: "127.0.0.1", port: 0, tls: .init(certificatePath: "/nowhere/a.pem", keyPath: "/nowhere/a.key"))
        #expect(performing: { _ = try makeListener(configuration) }, throws: { "\($0)".contains("/nowhere/a.pem") })
    }

    @Test func badFramesEndTheConnection() async throws {
        try await withServer(handler: echo) { listener in
            let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
            // A first frame that is no SETTINGS; a frame longer than allowed; nothing but noise.
            let bad: [[UInt8]] = [
                [0, 0, 0, 1, 5, 0, 0, 0, 1], [0xFF, 0xFF, 0xFF, 4, 0, 0, 0, 0, 0], [UInt8](repeating: 0x5A, count: 300),
            ]
            for frame in bad {
                let client = try RawClient(port: listener.port)
                client.send(preface + frame)
                client.endSending()
                _ = client.receiveToEnd()
                #expect(client.hasEnded)
            }
        }
    }
}

/// A server's configuration with a certificate of its own.
func tlsConfiguration(_ directory: TemporaryDirectory) throws -> HTTPConfiguration {
    let authority = try CertificateAuthority.create(directory: directory.path + "/authority")
    let node = directory.path + "/node"
    try authority.issue(node: NodeID("gateway-0"), role: .gateway, hosts: ["127.0.0.1"], validity: .days(1), into: node)
    return HTTPConfiguration(
        host: "127.0.0.1", port: 0,
        tls: .init(certificatePath: node + "/node.pem", keyPath: node + "/node.key"))
}

/// Lets everybody through when enough have arrived.
final class Gate: Sendable {
    private let state: Mutex<(missing: Int, waiting: [@Sendable () -> Void])>

    init(count: Int) { state = Mutex((count, [])) }

    func arrive(_ body: @escaping @Sendable () -> Void) {
        let released = state.withLock { state in
            state.missing -= 1
            state.waiting.append(body)
            return state.missing == 0 ? state.waiting : []
        }
        guard !released.isEmpty else { return }
        Thread { for body in released { body() } }.start()
    }
}
