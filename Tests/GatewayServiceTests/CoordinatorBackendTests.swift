import Basics
import Dispatch
import GatewayService
import HTTPServer
import Logging
import Synchronization
import Testing
import Transport
import Wire

@Suite("The link to the coordinator", .serialized)
struct CoordinatorBackendTests {
    private static let logger: Logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }()

    /// A backend that announces news, so that tests can wait for it.
    private struct Watched {
        let backend: CoordinatorBackend
        private let news = DispatchSemaphore(value: 0)

        /// - Parameter opens: whether it dials at once; false where a gateway tells it to.
        init(_ port: UInt16, _ certificates: TestCertificates, opens: Bool = true) throws {
            let news = news
            backend = CoordinatorBackend(
                endpoint: Endpoint(host: "127.0.0.1", port: port),
                identity: try certificates.identity("gateway", .gateway), logger: CoordinatorBackendTests.logger,
                onNews: { news.signal() })
            if opens { backend.open(listenAddress: "") }
        }

        /// Waits for news until the condition holds; false after a time that no healthy run needs.
        func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
            while try !condition() {
                guard news.wait(timeout: .now() + 20) == .success else { return false }
            }
            return true
        }
    }

    private func isReady(_ backend: CoordinatorBackend) -> Bool {
        backend.status().isReady && (try? backend.model()) != nil
    }

    @Test("sequences go through the link and back; a cancelled one is cancelled over there")
    func generates() throws {
        let certificates = try TestCertificates()
        let coordinator = FakeCoordinator { generate, reply in
            reply(Generated(tokens: [ScoredToken(token: generate.prompt[0])]))
            if generate.tokensMax > 1 { return }
            reply(Generated(tokens: [ScoredToken(token: TokenID(98))], finish: .length))
        }
        let listener = try coordinator.listen(certificates)
        defer { listener.stop() }
        let watched = try Watched(listener.port, certificates)
        let backend = watched.backend
        defer { backend.stop() }
        #expect(watched.eventually { isReady(backend) })
        #expect(try backend.model().name == "tiny")

        let done = DispatchSemaphore(value: 0)
        let received = Mutex<[Generated]>([])
        _ = try backend.start(Generate(prompt: [TokenID(97)], tokensMax: 1)) { event in
            guard case .generated(let generated) = event else { return }
            received.withLock { $0.append(generated) }
            if generated.finish != nil { done.signal() }
        }
        #expect(done.wait(timeout: .now() + 20) == .success)
        #expect(received.withLock { $0.map { $0.tokens.map(\.token) } } == [[TokenID(97)], [TokenID(98)]])

        let ticket = try backend.start(Generate(prompt: [TokenID(97)], tokensMax: 9)) { _ in done.signal() }
        #expect(done.wait(timeout: .now() + 20) == .success)
        ticket.cancel()
        #expect(coordinator.cancelled.wait(timeout: .now() + 20) == .success)
    }

    @Test("a refusal of the coordinator arrives as it is")
    func refusal() throws {
        let certificates = try TestCertificates()
        let coordinator = FakeCoordinator { (_, _) throws(Refusal) in throw Refusal(.overloaded, "7 wait already") }
        let listener = try coordinator.listen(certificates)
        defer { listener.stop() }
        let watched = try Watched(listener.port, certificates)
        let backend = watched.backend
        defer { backend.stop() }
        #expect(watched.eventually { isReady(backend) })
        let refused = DispatchSemaphore(value: 0)
        _ = try backend.start(Generate(prompt: [TokenID(97)], tokensMax: 1)) { event in
            if case .failed(Refusal(.overloaded, "7 wait already")) = event { refused.signal() }
        }
        #expect(refused.wait(timeout: .now() + 20) == .success)
    }

    @Test("when the coordinator goes, sequences fail and the state says why; when it comes back all is well")
    func reconnects() throws {
        let certificates = try TestCertificates()
        let coordinator = FakeCoordinator { _, _ in }
        let first = try coordinator.listen(certificates)
        let port = first.port
        let watched = try Watched(port, certificates)
        let backend = watched.backend
        defer { backend.stop() }
        #expect(watched.eventually { isReady(backend) })
        let failed = DispatchSemaphore(value: 0)
        _ = try backend.start(Generate(prompt: [TokenID(97)], tokensMax: 1)) { event in
            if case .failed(let refusal) = event, refusal.code == .unavailable { failed.signal() }
        }
        #expect(coordinator.generated.wait(timeout: .now() + 20) == .success)
        first.stop()
        #expect(failed.wait(timeout: .now() + 20) == .success)
        #expect(watched.eventually { !backend.status().isReady })
        #expect(watched.eventually { backend.status().nodes.first?.state == .dead })
        #expect(backend.status().reason?.contains("127.0.0.1:\(port)") == true)
        #expect(throws: Refusal.self) {
            _ = try backend.start(Generate(prompt: [TokenID(97)], tokensMax: 1)) { _ in }
        }
        let second = try coordinator.listen(certificates, port: port)
        defer { second.stop() }
        #expect(watched.eventually { isReady(backend) })
    }

    @Test("a gateway without a coordinator serves its state and refuses the rest, with the reason")
    func nobodyThere() throws {
        let certificates = try TestCertificates()
        let watched = try Watched(1, certificates, opens: false)
        let backend = watched.backend
        let gateway = try Self.startedGateway(backend)
        defer { gateway.stop() }
        #expect(watched.eventually { backend.status().reason?.contains("cannot connect") == true })
        let health = try TestClient.get(gateway.port, "/health")
        #expect(health.status == 503)
        #expect(health.json["reason"]?.string?.contains("127.0.0.1:1") == true)
        #expect(try TestClient.get(gateway.port, "/live").status == 200)
        #expect(try TestClient.get(gateway.port, "/cluster").json["isReady"] == false)
        let answer = try TestClient.post(gateway.port, "/v1/completions", ["prompt": "x"])
        #expect(answer.status == 503)
        #expect(answer.headers["retry-after"] == "1")
    }

    private static func startedGateway(_ backend: CoordinatorBackend) throws -> Gateway {
        let gateway = Gateway(
            configuration: GatewayConfiguration(
                node: NodeID("gateway"), http: HTTPConfiguration(host: "127.0.0.1", port: 0)), backend: backend,
            logger: logger)
        try gateway.start()
        return gateway
    }

    @Test("the whole way: HTTP in, a link to the coordinator, a stream out")
    func wholeWay() throws {
        let certificates = try TestCertificates()
        let coordinator = FakeCoordinator { generate, reply in
            for (position, token) in TestModel.tokens("hi!").enumerated() {
                reply(Generated(tokens: [ScoredToken(token: token)], finish: position == 2 ? .length : nil))
            }
        }
        let listener = try coordinator.listen(certificates)
        defer { listener.stop() }
        let watched = try Watched(listener.port, certificates, opens: false)
        let backend = watched.backend
        let gateway = try Self.startedGateway(backend)
        defer { gateway.stop() }
        #expect(try watched.eventually { try TestClient.get(gateway.port, "/health").status == 200 })
        let answer = try TestClient.post(
            gateway.port, "/v1/completions", ["prompt": "x", "max_tokens": 3, "stream": true])
        let texts = try answer.events.dropLast().map {
            try JSON(parsing: $0)["choices"]?.array?.first?["text"]?.string ?? ""
        }
        #expect(texts.joined() == "hi!")
    }

    @Test("the coordinator is told where the gateway serves; the state lists the gateway once, as it sees itself")
    func listsItself() throws {
        let certificates = try TestCertificates()
        let coordinator = FakeCoordinator { _, _ in }
        let listener = try coordinator.listen(certificates)
        defer { listener.stop() }
        let watched = try Watched(listener.port, certificates, opens: false)
        let backend = watched.backend
        let gateway = try Self.startedGateway(backend)
        defer { gateway.stop() }
        #expect(watched.eventually { isReady(backend) })
        let address = "127.0.0.1:\(gateway.port)"
        #expect(coordinator.listenAddresses == [address])
        let reported = ClusterStatus.Node(name: "gateway", role: .gateway, address: address, state: .ready)
        #expect(backend.status().nodes.dropFirst().first == reported)
        let nodes = try #require(try TestClient.get(gateway.port, "/cluster").json["nodes"]?.array)
        #expect(nodes.map { $0["name"]?.string } == ["coordinator", "gateway", "worker-1"])
        #expect(nodes[1]["address"]?.string == address)
        #expect(nodes[1]["state"]?.string == "ready")
        // The coordinator does not know how much memory a gateway occupies.
        #expect((nodes[1]["residentBytes"]?.integer ?? 0) > 0)
    }

    @Test("a backend that was never opened stops at once and stays closed")
    func neverOpened() throws {
        let backend = try Watched(1, try TestCertificates(), opens: false).backend
        backend.stop()
        backend.open(listenAddress: "127.0.0.1:1")
        backend.stop()
        #expect(backend.status().reason?.contains("has not answered yet") == true)
    }
}
