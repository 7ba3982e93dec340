import Basics
import Placement
import TestSupport
import Testing

/// The planner's promises, on chosen and on random clusters.
@Suite struct PlacementTests {
    private func shards(layers: Int, experts: Int, byteCount: (Int, Int) -> UInt64) -> [ShardSize] {
        (0..<layers).flatMap { layer in
            (0..<experts).map { expert in
                ShardSize(
                    shard: .expert(layer: LayerIndex(layer), expert: ExpertIndex(expert)),
                    byteCount: byteCount(layer, expert))
            }
        }
    }

    private func nodes(_ budgets: [UInt64]) -> [PlacementNode] {
        budgets.enumerated().map { PlacementNode(node: NodeID("worker-\($0.offset)"), memoryBudgetBytes: $0.element) }
    }

    /// How many experts of each layer a node has.
    private func countsByLayer(_ placement: Placement, _ node: NodeID, layers: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: layers)
        for case .expert(let layer, _) in placement.shards[node] ?? [] { counts[layer.value] += 1 }
        return counts
    }

    /// Every shard exactly once, no budget exceeded, byte counts true.
    private func checkSound(_ placement: Placement, _ shards: [ShardSize], _ nodes: [PlacementNode]) {
        #expect(placement.shards.values.flatMap { $0 }.sorted() == shards.map(\.shard).sorted())
        #expect(Set(placement.shards.keys) == Set(nodes.map(\.node)))
        let sizes = Dictionary(uniqueKeysWithValues: shards.map { ($0.shard, $0.byteCount) })
        for node in nodes {
            let held = placement.shards[node.node] ?? []
            #expect(held == held.sorted())
            #expect(held.reduce(0) { $0 + (sizes[$1] ?? 0) } == placement.byteCounts[node.node])
            #expect(placement.byteCounts[node.node] ?? .max <= node.memoryBudgetBytes)
        }
    }

    @Test func evenNodesGetInterleavedExperts() throws {
        let placement = try Placement.plan(
            shards: shards(layers: 2, experts: 8) { _, _ in 10 }, nodes: nodes([100, 100]))
        for layer in 0..<2 {
            let owners = (0..<8).map { expert in
                placement.owners[.expert(layer: LayerIndex(layer), expert: ExpertIndex(expert))]
            }
            #expect(zip(owners, owners.dropFirst()).allSatisfy { $0 != $1 })
        }
        #expect(placement.byteCounts == [NodeID("worker-0"): 80, NodeID("worker-1"): 80])
    }

    @Test func whatALayerCannotDivideIsDividedOverTheLayers() throws {
        let placement = try Placement.plan(
            shards: shards(layers: 9, experts: 8) { _, _ in 1 }, nodes: nodes([100, 100, 100]))
        #expect(placement.byteCounts.values.sorted() == [24, 24, 24])
        for node in placement.shards.keys {
            #expect(countsByLayer(placement, node, layers: 9).allSatisfy { (2...3).contains($0) })
        }
    }

    @Test func moreNodesThanExperts() throws {
        let all = nodes([UInt64](repeating: 100, count: 20))
        let sizes = shards(layers: 5, experts: 8) { _, _ in 7 }
        let placement = try Placement.plan(shards: sizes, nodes: all)
        checkSound(placement, sizes, all)
        #expect(placement.byteCounts.values.allSatisfy { $0 == 14 })
    }

    @Test func everyBudgetIsUsedToTheLastShard() throws {
        let all = nodes([35, 12, 9, 29])
        let sizes = shards(layers: 2, experts: 3) { _, _ in 10 }
        checkSound(try Placement.plan(shards: sizes, nodes: all), sizes, all)
    }

    @Test func lackOfMemorySaysWhoLacksHowMuch() {
        #expect(
            throws: PlacementError.budgetsTooSmall(
                requiredByteCount: 80, budgetByteCount: 60, lackingByteCount: 20,
                nodes: [
                    .init(node: NodeID("worker-0"), budgetByteCount: 45, shareByteCount: 60, lackingByteCount: 15),
                    .init(node: NodeID("worker-1"), budgetByteCount: 15, shareByteCount: 20, lackingByteCount: 5),
                ])
        ) {
            try Placement.plan(shards: shards(layers: 2, experts: 4) { _, _ in 10 }, nodes: nodes([45, 15]))
        }
        #expect(throws: PlacementError.self) {
            try Placement.plan(shards: shards(layers: 1, experts: 2) { _, _ in 1 << 63 }, nodes: nodes([.max]))
        }
    }

    @Test func wholeShardsThatFitNowhereAreNamed() {
        do throws(PlacementError) {
            _ = try Placement.plan(shards: shards(layers: 1, experts: 2) { _, _ in 10 }, nodes: nodes([15, 9]))
            Issue.record("placed 10 bytes on 9")
        } catch {
            guard case .shardTooLarge(_, 10, 9, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(error.description.contains("expert 1 of layer 0 needs 10 bytes"))
        }
    }

    @Test func badInputIsRefused() {
        let one = shards(layers: 1, experts: 1) { _, _ in 1 }
        #expect(throws: PlacementError.nodesMissing) { try Placement.plan(shards: one, nodes: []) }
        #expect(throws: PlacementError.nodeDuplicated(node: NodeID("worker-0"))) {
            try Placement.plan(shards: one, nodes: nodes([5]) + nodes([6]))
        }
        #expect(throws: PlacementError.shardDuplicated(shard: one[0].shard)) {
            try Placement.plan(shards: one + one, nodes: nodes([5]))
        }
    }

    @Test func nothingToPlaceIsFine() throws {
        let placement = try Placement.plan(shards: [], nodes: nodes([0]))
        #expect(placement.shards == [NodeID("worker-0"): []])
    }

    @Test(arguments: 0..<300)
    func equalShardsAreSpreadInProportion(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let layers = Int.random(in: 1...12, using: &generator)
        let experts = Int.random(in: 1...40, using: &generator)
        let size = UInt64.random(in: 1...1000, using: &generator)
        let count = Int.random(in: 1...12, using: &generator)
        let sizes = shards(layers: layers, experts: experts) { _, _ in size }
        // Room for all with one shard to spare per node: no budget bends the proportions.
        let needed = UInt64(layers * experts + count) * size
        let weights = (0..<count).map { _ in UInt64.random(in: 1...1000, using: &generator) }
        let sum = weights.reduce(0, +)
        let all = nodes(weights.map { (needed * $0 * 2 + sum - 1) / sum + size * 2 })
        let placement = try Placement.plan(shards: sizes, nodes: all)
        checkSound(placement, sizes, all)
        let total = Double(all.reduce(0) { $0 + $1.memoryBudgetBytes })
        for node in all {
            let share = Double(node.memoryBudgetBytes) / total
            for count in countsByLayer(placement, node.node, layers: layers) {
                #expect(abs(Double(count) - Double(experts) * share) <= 1.001, "seed \(seed)")
            }
            let held = Double(placement.shards[node.node]?.count ?? 0)
            #expect(abs(held - Double(layers * experts) * share) <= 2, "seed \(seed)")
        }
        var shuffledShards = sizes
        shuffledShards.shuffle(using: &generator)
        var shuffledNodes = all
        shuffledNodes.shuffle(using: &generator)
        #expect(try Placement.plan(shards: shuffledShards, nodes: shuffledNodes) == placement, "seed \(seed)")
    }

    @Test(arguments: 0..<300)
    func whateverFitsIsPlaced(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed) + 1_000_000)
        let layers = Int.random(in: 1...6, using: &generator)
        let experts = Int.random(in: 1...12, using: &generator)
        let varied = Bool.random(using: &generator)
        let largest = varied ? UInt64(30) : 10
        let sizes = shards(layers: layers, experts: experts) { _, _ in
            varied ? UInt64.random(in: 1...30, using: &generator) : 10
        }
        let total = sizes.reduce(0) { $0 + $1.byteCount }
        let count = Int.random(in: 1...9, using: &generator)
        let all = nodes((0..<count).map { _ in UInt64.random(in: 0...(3 * total / UInt64(count)), using: &generator) })
        // For equal shards this is exact; else it leaves the waste that whole shards can cause.
        let fits =
            varied
            ? all.reduce(0) { $0 + ($1.memoryBudgetBytes > largest ? $1.memoryBudgetBytes - largest : 0) } >= total
            : all.reduce(0) { $0 + $1.memoryBudgetBytes / 10 } >= UInt64(sizes.count)
        do throws(PlacementError) {
            checkSound(try Placement.plan(shards: sizes, nodes: all), sizes, all)
        } catch {
            #expect(!fits, "seed \(seed): \(error)")
        }
    }
}
