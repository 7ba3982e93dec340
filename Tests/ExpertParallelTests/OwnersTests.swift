import Basics
import ExpertParallel
import Testing

@Suite struct OwnersTests {
    @Test func everyExpertHasItsOwner() {
        func shard(_ layer: Int, _ expert: Int) -> ShardID {
            .expert(layer: LayerIndex(layer), expert: ExpertIndex(expert))
        }
        let owners = ExpertOwners(
            epoch: PlacementEpoch(4),
            assignments: [
                NodeID("b"): [shard(0, 0), shard(2, 1)], NodeID("a"): [shard(0, 1), shard(0, 2), shard(2, 0)],
                NodeID("c"): [],
            ], expertCounts: [LayerIndex(0): 3, LayerIndex(2): 2])
        #expect(owners.workers == [NodeID("a"), NodeID("b"), NodeID("c")])
        #expect(owners.owners(ofLayer: LayerIndex(0)) == [1, 0, 0])
        #expect(owners.owners(ofLayer: LayerIndex(1)).isEmpty)
        #expect(owners.owners(ofLayer: LayerIndex(2)) == [0, 1])
    }
}
