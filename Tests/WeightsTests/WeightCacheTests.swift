import Basics
import Foundation
import Kernels
import Synchronization
import TestSupport
import Testing
import Weights

/// Packed weights on disk: the next start has the same bytes without packing, and nothing that can be wrong with the
/// cache makes a start fail or gives other bytes.
@Suite struct WeightCacheTests {
    /// What a cache told.
    private final class Told: Sendable {
        private let events = Mutex<[WeightCacheEvent]>([])

        func add(_ event: WeightCacheEvent) { events.withLock { $0.append(event) } }

        /// Bytes from the cache and bytes packed, of the last start.
        var loaded: [UInt64]? {
            events.withLock { events in
                events.compactMap { event -> [UInt64]? in
                    guard case .loaded(let cached, let packed, _) = event else { return nil }
                    return [cached, packed]
                }.last
            }
        }

        var refusals: [String] {
            events.withLock { events in
                events.compactMap { event -> String? in
                    guard case .refused(let reason) = event else { return nil }
                    return reason
                }
            }
        }
    }

    private let root: TemporaryDirectory
    private let model: String
    private var directory: String { root.path + "/cache" }

    init() throws {
        root = try TemporaryDirectory()
        model = try root.copy(Fixtures.checkpoint("qwen3_moe_mixed"), to: "model")
    }

    /// One start: the packed bytes of every matrix by name, and what the cache told.
    private func start(
        _ model: String? = nil, bytesMax: UInt64? = nil, worthBytes: UInt64 = 1,
        placement: WeightPlacement = .anywhere
    ) throws -> (bytes: [String: [UInt8]], told: Told) {
        let told = Told()
        let cache = WeightCache(directory: directory, bytesMax: bytesMax, worthBytes: worthBytes, onEvent: told.add)
        let checkpoint = try Checkpoint.open(model ?? self.model, cache: cache, placement: placement)
        var matrices: [String: PackedMatrix] = [:]
        for name in checkpoint.tensorNames {
            guard let shape = checkpoint.describe(name)?.shape, shape.count == 2 else { continue }
            matrices[name] = try checkpoint.tensor(name, shape: shape).packed()
        }
        checkpoint.keepPackedWeights(waits: true)
        return (matrices.mapValues(packedBytes), told)
    }

    private func packedBytes(_ matrix: PackedMatrix) -> [UInt8] {
        var bytes: [UInt8] = []
        matrix.withPackedBytes { bytes += $0 }
        return bytes
    }

    private func files() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: directory).filter { $0.contains(".packed") }
            .map { directory + "/" + $0 }
    }

    private func total(_ bytes: [String: [UInt8]]) -> UInt64 { bytes.values.reduce(0) { $0 + UInt64($1.count) } }

    @Test func theSecondStartPacksNothing() throws {
        let first = try start()
        #expect(first.told.loaded == [0, total(first.bytes)])
        let second = try start()
        #expect(second.told.loaded == [total(first.bytes), 0])
        #expect(second.bytes == first.bytes)
        #expect(try files().count == 1, "nothing is written twice")
        #expect(first.told.refusals.isEmpty && second.told.refusals.isEmpty)
    }

    /// What is written by a machine with one node of memory is read by one with several, and the other way round.
    @Test(arguments: [true, false])
    func nodesOfMemoryReadTheSame(firstHasNodes: Bool) throws {
        let node = MachineTopology.Node(id: MemoryNodeID(0), processors: Processors.allowed())
        let nodes = ThreadPlacement(
            count: 4, pinning: .node, topology: MachineTopology(nodes: [node, node]))
        let placements = [WeightPlacement(threads: nodes), .anywhere]
        let first = try start(placement: placements[firstHasNodes ? 0 : 1])
        let second = try start(placement: placements[firstHasNodes ? 1 : 0])
        #expect(second.told.loaded == [total(first.bytes), 0])
        #expect(second.bytes == first.bytes)
    }

    @Test func filesAreThisUsersAlone() throws {
        _ = try start()
        let folder = try #require(files().first.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path })
        #expect(chmod(folder, 0o777) == 0)
        let second = try start()
        #expect(second.told.loaded?.first == 0)
        #expect(second.told.refusals.count == 1)
    }

    @Test(arguments: [0, 9, 20, 85, 90, -1, -9, -40])
    func aDamagedFileIsDeletedAndWrittenAgain(place: Int) throws {
        let first = try start()
        let path = try #require(files().first)
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[place < 0 ? bytes.count + place : place] ^= 0x40
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let second = try start()
        #expect(second.told.loaded == [0, total(first.bytes)])
        #expect(second.told.refusals.count == 1)
        #expect(second.bytes == first.bytes)
        #expect(try start().told.loaded == [total(first.bytes), 0])
    }

    @Test(arguments: [0, 50, 96, 5000])
    func aTruncatedFileIsDeletedAndWrittenAgain(byteCount: Int) throws {
        let first = try start()
        #expect(truncate(try #require(files().first), byteCount) == 0)
        let second = try start()
        #expect(second.told.refusals.count == 1)
        #expect(second.bytes == first.bytes)
    }

    @Test func aChangedModelIsPackedAnew() throws {
        _ = try start()
        let file = try #require(
            FileManager.default.contentsOfDirectory(atPath: model).first { $0.hasSuffix(".safetensors") })
        let past = Date(timeIntervalSince1970: 1_000_000_000)
        try FileManager.default.setAttributes([.modificationDate: past], ofItemAtPath: model + "/" + file)
        let second = try start()
        #expect(second.told.loaded?.last ?? 0 > 0)
    }

    @Test func theLimitDeletesWhatWasUnusedLongest() throws {
        let first = try start()
        let old = try #require(files().first)
        let other = try start(Fixtures.checkpoint("qwen3_moe_f32"), bytesMax: 1 << 20)
        #expect(total(other.bytes) > (1 << 20) - total(first.bytes), "both do not fit")
        #expect(try !files().contains(old))
        #expect(try files().count == 1)
        let refused = try start(bytesMax: 1000)
        #expect(refused.told.refusals.first?.contains("weight_cache_bytes, 1000") == true)
    }

    @Test func littleIsNotWorthAFile() throws {
        _ = try start(worthBytes: 1 << 40)
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test func unfinishedFilesOfTheDeadAreDeleted() throws {
        _ = try start()
        let finished = try #require(files().first)
        let (dead, alive) = (finished + "-dead.partial", finished + "-alive.partial")
        for path in [dead, alive] { try Data([1]).write(to: URL(fileURLWithPath: path)) }
        let descriptor = open(alive, O_RDONLY)
        defer { close(descriptor) }
        #expect(flock(descriptor, LOCK_EX) == 0)
        _ = try start()
        #expect(try Set(files()) == [finished, alive])
    }

    @Test func aDirectoryThatCannotBeMadeIsTold() throws {
        try root.write("cache", text: "a file")
        let outcome = try start()
        #expect(outcome.told.refusals.first?.contains("cannot make") == true)
    }

    @Test func packedBytesStayWhatTheirVersionSays() throws {
        // Whoever changes what packing writes counts `PackedMatrix.layoutVersion` up, and this number with it.
        #expect(PackedMatrix.layoutVersion == 1)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for format in WeightFormat.allCases {
            let source = (0..<20 * format.byteCount(of: 512)).map {
                UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13)
            }
            let matrix = try source.withUnsafeBytes { (bytes) throws(KernelError) in
                try PackedMatrix(packing: bytes, rows: 20, columns: 512, format: format)
            }
            for byte in packedBytes(matrix) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        #expect(hash == 17_371_921_886_559_888_603)
    }
}
