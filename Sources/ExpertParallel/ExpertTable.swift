import Basics
import Kernels
import Models
import Synchronization
import Weights

/// The routed experts that a process hosts, by layer and expert. Replaced whole when the placement changes; whoever
/// computes keeps the table that it started with.
public final class ExpertTable: Sendable {
    /// The placement that these experts belong to.
    public let epoch: PlacementEpoch
    /// The shards, in order.
    public let shards: [ShardID]
    /// Bytes of weights.
    public let byteCount: UInt64
    private let layers: [LayerIndex: [ExpertIndex: ExpertWeights]]

    /// A table that hosts nothing.
    public static let empty = ExpertTable(epoch: PlacementEpoch(0), weights: [:])

    /// Hosts `weights`.
    public init(epoch: PlacementEpoch, weights: [ShardID: ExpertWeights]) {
        self.epoch = epoch
        shards = weights.keys.sorted()
        var layers: [LayerIndex: [ExpertIndex: ExpertWeights]] = [:]
        var byteCount: UInt64 = 0
        for (shard, expertWeights) in weights {
            switch shard {
            case .expert(let layer, let expert): layers[layer, default: [:]][expert] = expertWeights
            }
            byteCount += UInt64(expertWeights.byteCount)
        }
        self.layers = layers
        self.byteCount = byteCount
    }

    /// The weights of one expert; nil if it is not hosted here.
    public func weights(layer: LayerIndex, expert: ExpertIndex) -> ExpertWeights? { layers[layer]?[expert] }
}

/// Reads experts from a checkpoint: those of the model's layers and of the prediction layers that its description has,
/// which are numbered behind the others.
public struct ExpertLoader: Sendable {
    private let checkpoint: Checkpoint
    private let description: ModelDescription
    private let layers: [LayerDescription]

    /// Reads from `checkpoint`, whose model is `description`.
    public init(checkpoint: Checkpoint, description: ModelDescription) {
        self.checkpoint = checkpoint
        self.description = description
        layers = description.allLayers
    }

    /// Every expert of the model with the bytes that it occupies when loaded.
    public func shardSizes() throws(WeightsError) -> [(shard: ShardID, byteCount: UInt64)] {
        var sizes: [(shard: ShardID, byteCount: UInt64)] = []
        for (index, layer) in layers.enumerated() {
            guard let mixture = layer.mixture else { continue }
            for expert in (0..<mixture.expertCount).map(ExpertIndex.init) {
                let byteCount = try mixture.expertBytes(expert, hiddenSize: description.hiddenSize, in: checkpoint)
                sizes.append((.expert(layer: LayerIndex(index), expert: expert), byteCount))
            }
        }
        return sizes
    }

    /// The layers where every expert's gate and up projections are stored in blocks: their kernels take 8-bit
    /// activations, so that f32 rows are of no use there.
    public func layersInBlocks() throws(WeightsError) -> Set<LayerIndex> {
        var found: Set<LayerIndex> = []
        for (index, layer) in layers.enumerated() {
            guard let mixture = layer.mixture else { continue }
            var isInBlocks = true
            for expert in (0..<mixture.expertCount).map(ExpertIndex.init) where isInBlocks {
                isInBlocks = try mixture.readsInputInBlocks(expert, hiddenSize: description.hiddenSize, in: checkpoint)
            }
            if isInBlocks { found.insert(LayerIndex(index)) }
        }
        return found
    }

    /// The form in which experts' rows are added up: `wanted`, or where that is nil bf16 if the experts of all layers
    /// of the model round what they get to 8 bits anyway, else f32. Prediction layers have no say, so that the model's
    /// answers do not depend on them.
    public func resultFormat(
        _ wanted: ResultFormat?, activations: ActivationFormat
    ) throws(WeightsError) -> ResultFormat {
        if let wanted { return wanted }
        guard activations == .int8, !description.mixtureLayers.isEmpty else { return .f32 }
        return try layersInBlocks().isSuperset(of: description.mixtureLayers) ? .bf16 : .f32
    }

    /// Whether the model has this expert.
    public func contains(_ shard: ShardID) -> Bool {
        switch shard {
        case .expert(let layer, let expert):
            mixture(of: layer).map { (0..<$0.expertCount).contains(expert.value) } ?? false
        }
    }

    /// Reads and packs one expert.
    public func load(_ shard: ShardID) throws(WeightsError) -> ExpertWeights {
        switch shard {
        case .expert(let layer, let expert):
            guard let mixture = mixture(of: layer) else {
                preconditionFailure("only experts that the model has are loaded")
            }
            return try mixture.loadExpert(expert, hiddenSize: description.hiddenSize, from: checkpoint)
        }
    }

    private func mixture(of layer: LayerIndex) -> MixtureDescription? {
        layers.indices.contains(layer.value) ? layers[layer.value].mixture : nil
    }
}
