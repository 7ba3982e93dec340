import Basics
import Dispatch
import Kernels
import TestSupport
import Testing
import Transport
import Wire
import WorkerService

@Suite(.serialized) struct WorkerLossTests {
    static let endless = Generate(prompt: [TokenID(5), TokenID(6)], tokensMax: 100_000)

    @Test func sequencesEndWithTheReasonAndNewOnesAreRefused() throws {
        let cluster = try InProcessCluster(checkpoint: "qwen3_moe_f32", instructionSets: [.best, .best, .best])
        defer { cluster.stop() }
        _ = try cluster.waitForStatus { $0.isReady }
        let answers = try (0..<8).map { _ in try cluster.start(Self.endless) }
        for answer in answers { answer.news.wait() }
        cluster.workers[1].stop()
        for answer in answers {
            let error = #expect(throws: TransportError.self) { try answer.wait() }
            #expect(Self.isUnavailable(error, naming: "worker-2"))
        }
        let status = try cluster.waitForStatus { !$0.isReady }
        #expect(status.reason?.contains("worker-2") == true)
        #expect(status.nodes.first { $0.name == "worker-2" }?.state == .dead)
        #expect(status.nodes.first { $0.name == "worker-1" }?.state == .ready)
        let refused = #expect(throws: TransportError.self) { try cluster.start(Self.endless).wait() }
        #expect(Self.isUnavailable(refused, naming: "worker-2"))
    }

    @Test func aModelThatDoesNotFitSaysWhatIsLacking() throws {
        let cluster = try InProcessCluster(
            checkpoint: "qwen3_moe_bf16", instructionSets: [.best, .best], memoryBudgetBytes: 100_000)
        defer { cluster.stop() }
        let status = try cluster.waitForStatus { $0.reason?.contains("worker-2") == true && $0.nodes[0].state == .dead }
        #expect(status.reason?.contains("100000") == true)
        let refused = #expect(throws: TransportError.self) { try cluster.start(Self.endless).wait() }
        #expect(Self.isUnavailable(refused, naming: "worker-1"))
    }

    private static func isUnavailable(_ error: TransportError?, naming node: String) -> Bool {
        guard case .refused(let refusal) = error else { return false }
        return refusal.code == .unavailable && refusal.message.contains(node)
    }
}
