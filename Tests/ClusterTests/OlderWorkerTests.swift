import Kernels
import Testing
import Transport
import Wire

/// Workers that have not been upgraded yet.
@Suite(.serialized) struct OlderWorkerTests {
    private static let older = ProtocolVersion.oldest...ProtocolVersion.activationForms - 1

    @Test func theyComputeAsEver() throws {
        let cluster = try InProcessCluster(
            checkpoint: "qwen3_moe_bf16", instructionSets: [.best, .best], workerVersions: Self.older)
        defer { cluster.stop() }
        let status = try cluster.waitForStatus { $0.isReady }
        #expect(status.model.activations == "int8")
        let answers = try ExactnessTests.requests.map { try cluster.start($0) }.map { try $0.wait() }
        #expect(try answers == ExactnessTests.answers("qwen3_moe_bf16", []))
    }

    /// They have no other form than f32 for results; the coordinator rounds what they send.
    @Test func theirResultsAreRounded() throws {
        let cluster = try InProcessCluster(
            checkpoint: "qwen3_moe_bf16", instructionSets: [.best, .best], results: .bf16, workerVersions: Self.older)
        defer { cluster.stop() }
        #expect(try cluster.waitForStatus { $0.isReady }.model.results == "bf16")
        let answers = try ExactnessTests.requests.map { try cluster.start($0) }.map { try $0.wait() }
        #expect(try answers == ExactnessTests.answers("qwen3_moe_bf16", [], results: .bf16))
    }

    /// Its answers would have other bits than those of the others: it is not counted on, and everyone learns why.
    @Test func theyAreNoUseForActivationsInFloats() throws {
        let cluster = try InProcessCluster(
            checkpoint: "qwen3_moe_bf16", instructionSets: [.best], activations: .f32, workerVersions: Self.older)
        defer { cluster.stop() }
        let reason = "worker-1 speaks version 2 of the protocol, f32 activations need version 3"
        let status = try cluster.waitForStatus { $0.reason?.contains(reason) == true }
        #expect(!status.isReady && status.model.activations == "f32")
        #expect(status.nodes.first { $0.name == "worker-1" }?.reason?.contains(reason) == true)
        let refused = #expect(throws: TransportError.self) {
            try cluster.start(WorkerLossTests.endless).wait()
        }
        #expect(refused?.description.contains(reason) == true)
    }

    @Test func newerOnesFollowTheCoordinator() throws {
        let cluster = try InProcessCluster(
            checkpoint: "qwen3_moe_bf16", instructionSets: [.best, .best], activations: .f32)
        defer { cluster.stop() }
        #expect(try cluster.waitForStatus { $0.isReady }.model.activations == "f32")
        let answers = try ExactnessTests.requests.map { try cluster.start($0).wait() }
        // Plain weights meet f32 anyway.
        #expect(try answers == ExactnessTests.answers("qwen3_moe_bf16", []))
    }
}
