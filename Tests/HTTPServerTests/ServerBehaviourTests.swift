import Basics
import Foundation
import HTTPServer
import Synchronization
import Testing

@Suite struct ServerBehaviourTests {
    @Test func aClientThatDoesNotReadIsCut() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.streamBufferBytesMax = 1 << 20
        let closed = Awaited<Int>()
        try await withServer(
            configuration,
            handler: { _, response in
                response.onClose { closed.set(0) }
                response.start(status: 200, headers: [])
                Thread {
                    var largest = 0
                    while !response.isClosed {
                        response.write([UInt8](repeating: 65, count: 64 << 10))
                        largest = max(largest, response.bufferedByteCount)
                    }
                    closed.set(largest)
                }.start()
            }
        ) { listener in
            for request in [wire("GET / HTTP/1.1\nHost: x\n\n"), HTTP2Frames.request(windowBytes: 100_000)] {
                let client = try RawClient(port: listener.port, receiveBufferBytes: 16 << 10)
                client.send(request)
                let reports = [closed.wait(), closed.wait()].compactMap { $0 }
                #expect(reports.count == 2)
                #expect(reports.max() ?? .max <= (1 << 20) + (64 << 10))
            }
        }
    }

    @Test func aWholeAnswerThatIsNotTakenIsCut() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.writeStallTimeoutMilliseconds = 150
        try await withServer(
            configuration,
            handler: { _, response in
                response.send(status: 200, headers: [], body: [UInt8](repeating: 65, count: 30 << 20))
            }
        ) { listener in
            let client = try RawClient(port: listener.port, receiveBufferBytes: 16 << 10)
            client.send(wire("GET / HTTP/1.1\nHost: x\n\n"))
            #expect(client.isResetEventually())
            // In HTTP/2 only the stream ends: the client never opens its window.
            let second = try RawClient(port: listener.port)
            second.send(HTTP2Frames.request(windowBytes: 0))
            #expect(second.receiveFrame(type: HTTP2Frames.resetType) != nil)
        }
    }

    @Test func halfSentHTTP2BodiesTimeOut() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.bodyTimeoutMilliseconds = 100
        configuration.limits.idleTimeoutMilliseconds = 100
        try await withServer(configuration, handler: echo) { listener in
            let client = try RawClient(port: listener.port)
            client.send(HTTP2Frames.request(windowBytes: 65_535, endsStream: false))
            let answer = try #require(client.receiveFrame(type: HTTP2Frames.dataType))
            #expect(String(decoding: answer, as: UTF8.self).contains("receiving the body took longer than 100 ms"))
            #expect(client.receiveFrame(type: HTTP2Frames.resetType) != nil)
            // Then nothing happens on the connection for too long.
            #expect(client.receiveFrame(type: HTTP2Frames.goAwayType) != nil)
            _ = client.receiveToEnd()
            #expect(client.hasEnded)
        }
    }

    @Test func aLineEndInAHeaderValueBeginsNoHeader() async throws {
        try await withServer(handler: { _, response in
            let headers = [("X-A", "a\r\nset-cookie: b"), ("bad name", "c"), ("Content-Length", "9"), ("x-b", "d")]
            response.send(status: 200, headers: headers, body: Array("ok".utf8))
        }) { listener in
            let answer = try HTTPClient(host: "127.0.0.1", port: listener.port).request(method: "GET", path: "/")
            #expect(answer.headers["set-cookie"] == nil)
            #expect(answer.headers["x-a"] == "a  set-cookie: b")
            #expect(answer.headers["content-length"] == "2")
            #expect(answer.headers["x-b"] == "d")
        }
    }

    @Test func whatComesOutOfOrderIsIgnored() async throws {
        try await withServer(handler: { _, response in
            response.write(Array("before".utf8))
            response.finish()
            response.start(status: 201, headers: [])
            response.send(status: 500, headers: [], body: [])
            response.write(Array("body".utf8))
            response.finish()
            response.write(Array("after".utf8))
            response.onClose { Issue.record("a finished answer is not closed") }
        }) { listener in
            let client = HTTPClient(host: "127.0.0.1", port: listener.port)
            for _ in 0..<2 {
                let answer = try client.request(method: "GET", path: "/")
                #expect(answer.status == 201)
                #expect(answer.body == Array("body".utf8))
            }
        }
    }

    @Test func aPortInUseIsNamed() throws {
        let first = try makeListener(HTTPConfiguration(host: "127.0.0.1", port: 0))
        defer { first.stop() }
        let second = HTTPConfiguration(host: "127.0.0.1", port: first.port)
        #expect(
            performing: { _ = try makeListener(second) },
            throws: { "\($0)" == "cannot listen on 127.0.0.1:\(first.port): Address already in use" })
        let unknown = HTTPConfiguration(host: "no-such-host.invalid", port: 0)
        #expect(throws: HTTPError.self) { _ = try makeListener(unknown) }
        let foreign = HTTPConfiguration(host: "192.0.2.1", port: 0)
        #expect(
            performing: { _ = try makeListener(foreign) },
            throws: { "\($0)".hasPrefix("cannot listen on 192.0.2.1:0: ") })
    }

    @Test func moreConnectionsThanAllowedAreClosed() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.connectionsMax = 2
        try await withServer(configuration, handler: echo) { listener in
            let clients = try (0..<2).map { _ in try RawClient(port: listener.port) }
            for client in clients {
                client.send(wire("GET / HTTP/1.1\nHost: x\n\n"))
                #expect(client.receive(through: "\r\n\r\n") != nil)
            }
            let third = try RawClient(port: listener.port)
            #expect(third.receiveToEnd() == "")
            #expect(third.hasEnded)
        }
    }

    @Test func stopEndsEverything() async throws {
        let opened = Awaited<Bool>()
        let closed = Awaited<Bool>()
        let listener = try makeListener(HTTPConfiguration(host: "127.0.0.1", port: 0)) { request, response in
            guard request.path == "/stream" else { return echo(request, response) }
            response.onClose { closed.set(true) }
            response.start(status: 200, headers: [])
            opened.set(true)
        }
        try await onThread {
            let idle = try RawClient(port: listener.port)
            idle.send(wire("GET / HTTP/1.1\nHost: x\n\n"))
            #expect(idle.receive(through: "\r\n\r\n") != nil)
            let second = try RawClient(port: listener.port)
            second.send(HTTP2Frames.request(windowBytes: 65_535))
            #expect(second.receiveFrame(type: HTTP2Frames.dataType) != nil)
            let streaming = try RawClient(port: listener.port)
            streaming.send(wire("GET /stream HTTP/1.1\nHost: x\n\n"))
            #expect(opened.wait() == true)
            listener.stop(graceMilliseconds: 50)
            #expect(closed.wait() == true)
            #expect(second.receiveFrame(type: HTTP2Frames.goAwayType) != nil)
            for client in [idle, second, streaming] {
                _ = client.receiveToEnd()
                #expect(client.hasEnded)
            }
            #expect(listener.connectionCount == 0)
            #expect(throws: SocketFailure.self) { try RawClient(port: listener.port) }
            listener.stop()
        }
    }

    @Test func answersUnderWayFinishWhenStopped() async throws {
        let waiting = Awaited<HTTPResponse>()
        let listener = try makeListener(HTTPConfiguration(host: "127.0.0.1", port: 0)) { _, response in
            waiting.set(response)
        }
        try await onThread {
            let client = try RawClient(port: listener.port)
            client.send(wire("GET / HTTP/1.1\nHost: x\n\n"))
            let response = try #require(waiting.wait())
            Thread {
                listener.stop(graceMilliseconds: 10_000)
                waiting.set(response)
            }.start()
            // The port refuses before the answer is given: stopping is under way.
            while (try? RawClient(port: listener.port)) != nil { sched_yield() }
            response.send(status: 200, headers: [], body: Array("late".utf8))
            let answer = client.receiveToEnd()
            #expect(answer.hasSuffix("late"))
            #expect(waiting.wait() != nil)
        }
    }

    @Test func bodiesUnderWayShareOneLimit() async throws {
        var configuration = HTTPConfiguration(host: "127.0.0.1", port: 0)
        configuration.limits.bodyBytesInFlightMax = 1000
        try await withServer(configuration, handler: echo) { listener in
            let client = try RawClient(port: listener.port)
            client.send(wire("POST / HTTP/1.1\nHost: x\nContent-Length: 2000\n\n"))
            client.send([UInt8](repeating: 65, count: 1500))
            #expect(client.receiveToEnd().hasPrefix("HTTP/1.1 503 "))
            // What was counted for it is free again.
            let body = [UInt8](repeating: 66, count: 900)
            let answer = try HTTPClient(host: "127.0.0.1", port: listener.port)
                .request(method: "POST", path: "/", body: body)
            #expect(answer.status == 200)
        }
    }
}
