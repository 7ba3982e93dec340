import Basics
import Foundation
import HTTPServer
import Testing

/// Answers with what the request was.
@Sendable func echo(_ request: HTTPRequest, _ response: HTTPResponse) {
    let body = "\(request.method) \(request.path)?\(request.query) \(request.body.count) "
    response.send(status: 200, headers: [("x-test", "1")], body: Array(body.utf8) + request.body)
}

@Suite struct HTTP1ServerTests {
    @Test func answersAndKeepsAlive() async throws {
        try await withServer(handler: echo) { listener in
            let client = try RawClient(port: listener.port)
            for _ in 0..<3 {
                client.send(wire("POST /a?b HTTP/1.1\nHost: x\nContent-Length: 2\n\nhi"))
                let head = try #require(client.receive(through: "\r\n\r\n"))
                #expect(head.hasPrefix("HTTP/1.1 200 OK\r\ndate: "))
                #expect(head.contains("content-length: 14\r\n"))
                #expect(head.contains("x-test: 1\r\n"))
                #expect(client.receive(through: "hi") == "POST /a?b 2 hi")
            }
            client.send(wire("GET / HTTP/1.1\nHost: x\nConnection: close\n\n"))
            #expect(client.receiveToEnd().contains("connection: close\r\n"))
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await withServer(handler: echo) { listener in
            let client = try RawClient(port: listener.port)
            let requests = (0..<50).map { "GET /\($0) HTTP/1.1\nHost: x\n\n" }.joined()
            client.send(wire(requests + "GET /last HTTP/1.1\nHost: x\nConnection: close\n\n"))
            let answer = client.receiveToEnd()
            let paths = answer.matches(of: /GET \/(\w+)\?/).map { String($0.1) }
            #expect(paths == (0..<50).map(String.init) + ["last"])
        }
    }

    @Test func chunkedUploadArrivesWhole() async throws {
        try await withServer(handler: echo) { listener in
            let client = try RawClient(port: listener.port)
            client.send(wire("POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nConnection: close\n\n"))
            for piece in ["3\nabc\n", "2\nde\n", "0\n\n"] { client.send(wire(piece)) }
            #expect(client.receiveToEnd().hasSuffix("POST /? 5 abcde"))
        }
    }

    @Test func headHasNoBody() async throws {
        try await withServer(handler: echo) { listener in
            let client = try RawClient(port: listener.port)
            client.send(wire("HEAD /a HTTP/1.1\nHost: x\nConnection: close\n\n"))
            let answer = client.receiveToEnd()
            #expect(answer.contains("content-length: 11\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func continueIsSentBeforeTheBody() async throws {
        try await withServer(handler: echo) { listener in
            let client = try RawClient(port: listener.port)
            client.send(wire("POST / HTTP/1.1\nHost: x\nContent-Length: 2\nExpect: 100-continue\n\n"))
            #expect(client.receive(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send(Array("ok".utf8))
            #expect(client.receive(through: "2 ok")?.hasPrefix("HTTP/1.1 200 OK") == true)
        }
    }

    @Test func streamsInChunks() async throws {
        try await withServer(handler: { _, response in
            response.start(status: 200, headers: [("content-type", "text/event-stream")])
            Thread {
                for index in 0..<3 { response.write(Array("data: \(index)\n\n".utf8)) }
                response.finish()
            }.start()
        }) { listener in
            let client = try RawClient(port: listener.port)
            client.send(wire("GET / HTTP/1.1\nHost: x\n\n"))
            let answer = try #require(client.receive(through: "\r\n0\r\n\r\n"))
            #expect(answer.contains("transfer-encoding: chunked"))
            for index in 0..<3 { #expect(answer.contains("data: \(index)\n\n")) }
            // HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
            client.send(wire("GET / HTTP/1.0\nConnection: keep-alive\n\n"))
            let old = client.receiveToEnd()
            #expect(old.contains("connection: close\r\n") && !old.contains("transfer-encoding"))
            #expect(old.hasSuffix("\r\n\r\ndata: 0\n\ndata: 1\n\ndata: 2\n\n"))
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\n\n", 400), ("GET / HTTP/3.0\n\n", 505), ("BAD\n", 400),
        ("POST / HTTP/1.1\nHost: x\nContent-Length: 99999999999\n\n", 413),
        ("PRI * HTTP/2.0\n\nXX\n\n", 505),
    ])
    func badRequestsAreAnsweredAndClosed(_ request: String, _ status: Int) async throws {
        try await withServer(handler: echo) { listener in
            let client = try RawClient(port: listener.port)
            client.send(wire(request))
            let answer = client.receiveToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            #expect(answer.contains("connection: close\r\n"))
            #expect(answer.contains("\"error\""))
        }
    }

    @Test func halfSentRequestsTimeOut() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.headerTimeoutMilliseconds = 100
        configuration.limits.bodyTimeoutMilliseconds = 100
        try await withServer(configuration, handler: echo) { listener in
            for half in ["GET / HT", "PRI * HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"] {
                let client = try RawClient(port: listener.port)
                client.send(Array(half.utf8))
                #expect(client.receiveToEnd().hasPrefix("HTTP/1.1 408 "))
            }
        }
    }

    @Test func idleConnectionsTimeOut() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.idleTimeoutMilliseconds = 1000
        try await withServer(configuration, handler: echo) { listener in
            let silent = try RawClient(port: listener.port)
            #expect(silent.receiveToEnd() == "")
            let idle = try RawClient(port: listener.port)
            idle.send(wire("GET / HTTP/1.1\nHost: x\n\n"))
            #expect(idle.receiveToEnd().hasPrefix("HTTP/1.1 200 "))
        }
    }
}
