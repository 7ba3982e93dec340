import Basics
import Foundation
import HTTPServer
import Synchronization
import Testing

@Suite struct HTTPClientTests {
    @Test func keepsItsConnection() async throws {
        let ports = Mutex<Set<String>>([])
        try await withServer(handler: { request, response in
            ports.withLock { _ = $0.insert(request.remoteAddress) }
            echo(request, response)
        }) { listener in
            let client = HTTPClient(host: "127.0.0.1", port: listener.port)
            for index in 0..<5 {
                let body = [UInt8](repeating: 65, count: index * 100_000)
                let answer = try client.request(method: "POST", path: "/\(index)?q", headers: [("a", "b")], body: body)
                #expect(answer.status == 200)
                #expect(answer.body.suffix(body.count) == body[...])
                #expect(listener.connectionCount == 1)
            }
            #expect(try client.request(method: "HEAD", path: "/").body == [])
            #expect(ports.withLock { $0 } == ["127.0.0.1"])
        }
    }

    @Test func streamsChunks() async throws {
        let next = Awaited<Bool>()
        try await withServer(handler: { _, response in
            response.start(status: 200, headers: [("content-type", "text/event-stream")])
            Thread {
                for index in 0..<5 {
                    response.write(Array("event \(index)".utf8))
                    // The client has seen it before the next one is written.
                    _ = next.wait()
                }
                response.finish()
            }.start()
        }) { listener in
            var chunks: [String] = []
            var type: String?
            let client = HTTPClient(host: "127.0.0.1", port: listener.port)
            try client.stream(
                method: "GET", path: "/", onHead: { type = $0.headers["content-type"] },
                onChunk: { chunk in
                    chunks.append(String(decoding: chunk, as: UTF8.self))
                    next.set(true)
                    return true
                })
            #expect(type == "text/event-stream")
            #expect(chunks == (0..<5).map { "event \($0)" })
        }
    }

    @Test func endsAStreamItHasEnoughOf() async throws {
        let closed = Awaited<Bool>()
        try await withServer(handler: { _, response in
            response.onClose { closed.set(true) }
            response.start(status: 200, headers: [])
            response.write([1])
        }) { listener in
            let client = HTTPClient(host: "127.0.0.1", port: listener.port)
            let head = try client.stream(method: "GET", path: "/") { _ in false }
            #expect(head.status == 200)
            #expect(closed.wait() == true)
        }
    }

    @Test func reconnectsAfterTheServerClosed() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.idleTimeoutMilliseconds = 50
        try await withServer(
            configuration,
            handler: { request, response in
                // Longer than the server keeps an idle connection; the client is not there to notice.
                response.send(status: 200, headers: [], body: Array(request.path.utf8))
            }
        ) { listener in
            let client = HTTPClient(host: "127.0.0.1", port: listener.port)
            #expect(try client.request(method: "GET", path: "/a").status == 200)
            // Connections that became idle later than the client's, one after the other: when the server has closed the
            // last of them, the client's is closed too.
            for _ in 0..<3 {
                let witness = try RawClient(port: listener.port)
                witness.send(wire("GET / HTTP/1.1\nHost: x\n\n"))
                _ = witness.receiveToEnd()
            }
            #expect(try client.request(method: "POST", path: "/b").body == Array("/b".utf8))
        }
    }

    @Test func saysWhatWentWrong() async throws {
        try await onThread {
            let listener = try makeListener(HTTPConfiguration(host: "127.0.0.1", port: 0))
            let port = listener.port
            listener.stop()
            let client = HTTPClient(host: "127.0.0.1", port: port)
            #expect(
                performing: { _ = try client.request(method: "GET", path: "/") },
                throws: { "\($0)" == "cannot connect to 127.0.0.1:\(port): Connection refused" })
        }
        try await withServer(handler: { _, _ in }) { listener in
            let client = HTTPClient(host: "127.0.0.1", port: listener.port, timeoutMilliseconds: 50)
            #expect(
                performing: { _ = try client.request(method: "GET", path: "/") },
                throws: { "\($0)" == "waiting for an answer took longer than 50 ms" })
        }
    }

    @Test(arguments: [true, false])
    func isInterruptedWhileItWaitsAndWhileItReads(serverBegins: Bool) async throws {
        try await withServer(handler: { _, response in
            guard serverBegins else { return }
            response.start(status: 200, headers: [])
            response.write(Array("first".utf8))
        }) { listener in
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            defer { for end in ends { close(end) } }
            let client = HTTPClient(host: "127.0.0.1", port: listener.port, interruptDescriptor: ends[0])
            if !serverBegins { _ = write(ends[1], "x", 1) }
            #expect(throws: HTTPError.interrupted) {
                try client.stream(method: "GET", path: "/") { _ in write(ends[1], "x", 1) == 1 }
            }
        }
    }
}
