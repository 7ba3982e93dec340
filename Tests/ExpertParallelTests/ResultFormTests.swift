import Basics
import ExpertParallel
import Kernels
import Models
import TestSupport
import Testing
import Transport
import Wire

/// In whatever form results come back, a worker's sums are those of one process; also those of a worker that is too old
/// to have other forms than f32.
@Suite struct ResultFormTests {
    @Test(arguments: ResultFormat.allCases, [1, 9, 70]) func remoteEqualsLocal(format: ResultFormat, rows: Int) throws {
        let harness = try DispatchTests()
        defer { harness.worker.stop() }
        let older = try WorkerLink(
            table: harness.table, compute: harness.compute, hiddenSize: harness.description.hiddenSize,
            versions: 1...ProtocolVersion.resultForms - 1)
        defer { older.stop() }
        let expertCounts = Dictionary(
            uniqueKeysWithValues: harness.description.mixtures.enumerated().map { (LayerIndex($0), $1.expertCount) })
        let local = LocalExpertBackend(
            table: harness.table, compute: harness.compute, hiddenSize: harness.description.hiddenSize,
            results: format)
        let (input, routing) = harness.work(rows: rows, seed: 3)
        let expected = try local.sum(input, routing)
        var received: [Int] = []
        for worker in [harness.worker, older] {
            let before = worker.link.statistics.bytesReceived
            let remote = worker.backend(compute: harness.compute, expertCounts: expertCounts, results: format)
            #expect(try remote.sum(input, routing) == expected, "version \(worker.link.version)")
            received.append(Int(worker.link.statistics.bytesReceived - before))
        }
        let width = harness.description.hiddenSize
        let saved = routing.experts.count * (width * 4 - format.bytesPerRow(width: width))
        #expect(received[1] - received[0] == saved)
    }

    @Test func formsDiffer() throws {
        let harness = try DispatchTests()
        defer { harness.worker.stop() }
        let (input, routing) = harness.work(rows: 5, seed: 1)
        let sums = try ResultFormat.allCases.map { format in
            try LocalExpertBackend(
                table: harness.table, compute: harness.compute, hiddenSize: harness.description.hiddenSize,
                results: format
            ).sum(input, routing)
        }
        #expect(Set(sums).count == ResultFormat.allCases.count)
    }
}
