import Kernels
import TestSupport
import Testing
import Transport
import Wire

@Suite(.serialized) struct GatewayListTests {
    private static func names(_ status: ClusterStatus) -> [String] { status.nodes.map(\.name) }

    @Test func gatewaysAreListedWhileTheirLinksAreOpen() throws {
        let cluster = try InProcessCluster(checkpoint: "qwen3_moe_f32", instructionSets: [.best])
        defer { cluster.stop() }
        // The operator who asks is not listed.
        #expect(Self.names(try cluster.status()) == ["coordinator", "worker-1"])
        let second = try cluster.dial(as: try cluster.gatewayIdentity("gateway-2"), listenAddress: "[::1]:8082")
        let first = try cluster.dial(as: try cluster.gatewayIdentity("gateway-1"), listenAddress: "127.0.0.1:8081")
        let status = try cluster.waitForStatus { $0.nodes.count == 4 }
        #expect(Self.names(status) == ["coordinator", "gateway-1", "gateway-2", "worker-1"])
        #expect(
            status.nodes[1...2] == [
                ClusterStatus.Node(name: "gateway-1", role: .gateway, address: "127.0.0.1:8081", state: .ready),
                ClusterStatus.Node(name: "gateway-2", role: .gateway, address: "[::1]:8082", state: .ready),
            ])
        first.close(.linkClosed(reason: "the test closes it"))
        let later = try cluster.waitForStatus { $0.nodes.count == 3 }
        #expect(Self.names(later) == ["coordinator", "gateway-2", "worker-1"])
        second.close(.linkClosed(reason: "the test closes it"))
        _ = try cluster.waitForStatus { Self.names($0) == ["coordinator", "worker-1"] }
    }

    @Test func aGatewayThatCameBackIsListedOnceWhereItIsNow() throws {
        let cluster = try InProcessCluster(checkpoint: "qwen3_moe_f32", instructionSets: [.best])
        defer { cluster.stop() }
        let identity = try cluster.gatewayIdentity("gateway")
        let old = try cluster.dial(as: identity, listenAddress: "127.0.0.1:8081")
        _ = try cluster.waitForStatus { $0.nodes.count == 3 }
        let new = try cluster.dial(as: identity, listenAddress: "127.0.0.1:8082")
        let status = try cluster.waitForStatus { $0.nodes[1].address == "127.0.0.1:8082" }
        #expect(Self.names(status) == ["coordinator", "gateway", "worker-1"])
        old.close(.linkClosed(reason: "the test closes it"))
        #expect(old.waitUntilClosed(timeoutMilliseconds: 20_000))
        #expect(try cluster.status().nodes[1] == status.nodes[1])
        new.close(.linkClosed(reason: "the test closes it"))
        _ = try cluster.waitForStatus { $0.nodes.count == 2 }
    }

    @Test(arguments: ["nowhere", "127.0.0.1:99999", "\u{1B}[2J:80"]) func addressesThatAreNoneAreRefused(
        address: String
    ) throws {
        let cluster = try InProcessCluster(checkpoint: "qwen3_moe_f32", instructionSets: [.best])
        defer { cluster.stop() }
        let identity = try cluster.gatewayIdentity("gateway")
        let error = #expect(throws: TransportError.self) {
            try cluster.dial(as: identity, listenAddress: address)
        }
        guard case .refused(let refusal) = error else {
            Issue.record("it was not refused: \(String(describing: error))")
            return
        }
        #expect(refusal.code == .malformedPayload)
        #expect(refusal.message.contains("listenAddress"))
    }
}
