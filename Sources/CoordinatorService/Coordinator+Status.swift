import Basics
import Engine
import ExpertParallel
import Kernels
import Models
import ServiceSupport
import Transport
import Weights
import Wire

extension Coordinator {
    /// The state of the cluster, as `clusterctl status` and `GET /cluster` show it.
    var status: ClusterStatus {
        let reason = unavailability
        return ClusterStatus(
            isReady: reason == nil, reason: reason, epoch: supervisor.epoch.value, model: modelStatus,
            nodes: [ownStatus(reason)] + gateways.nodes + supervisor.nodes, work: workStatus)
    }

    private var modelStatus: ClusterStatus.Model {
        ClusterStatus.Model(
            name: modelName, family: description.family, digest: checkpoint.digest.hexadecimal,
            contextTokensMax: engine?.contextTokensMax ?? description.contextTokensMax,
            weightBytes: checkpoint.tensorBytes, layers: description.layers.count,
            mixtureLayers: description.mixtureLayers.map(\.value),
            experts: description.mixtures.map(\.expertCount).max() ?? 0,
            expertsPerToken: description.mixtures.map(\.expertsPerToken).max() ?? 0,
            keyValueFormat: engine?.keyValueFormatText, stateBytesPerSequence: engine?.stateBytesPerSequence,
            activations: options.activations.rawValue, results: results.rawValue)
    }

    private func ownStatus(_ reason: String?) -> ClusterStatus.Node {
        let table = localTable
        return ClusterStatus.Node(
            name: options.identity.node.value, role: .coordinator, address: address ?? "",
            state: engine == nil ? (failure == nil ? .loading : .dead) : .ready,
            reason: engine == nil ? reason : nil, shardCount: table?.shards.count ?? 0,
            shardBytes: table?.byteCount ?? 0, loadedBytes: table?.byteCount ?? 0,
            residentBytes: ProcessMemory.residentBytes(), instructionSet: options.instructionSet.rawValue,
            threadCount: options.threads.count)
    }

    private var workStatus: ClusterStatus.Work {
        guard let engine else { return ClusterStatus.Work() }
        let statistics = engine.statistics
        return ClusterStatus.Work(
            runningSequences: statistics.runningSequences, waitingSequences: statistics.waitingSequences,
            cachedTokens: statistics.cachedTokens, cachedTokensMax: engine.cachedTokensMax,
            generatedTokens: statistics.generatedTokens, promptTokens: statistics.promptTokens,
            requests: statistics.requests, failedRequests: statistics.failedRequests, steps: statistics.steps,
            phaseSeconds: statistics.phases.byName)
    }

    /// The name under which the model is served.
    var modelName: String { options.modelName ?? checkpoint.name }

    func heartbeatReply(to heartbeat: Heartbeat) -> HeartbeatReply {
        HeartbeatReply(
            sequence: heartbeat.sequence, residentBytes: ProcessMemory.residentBytes(), dispatchCount: 0,
            computeMicroseconds: 0, expertRowCount: 0)
    }

    /// What a gateway needs of the model.
    func modelFiles() throws(WeightsError) -> ModelFiles {
        var files: [ModelFiles.File] = []
        for name in SmallFile.ofText {
            if let bytes = try checkpoint.smallFile(name, bytesMax: Limits.Wire.modelFilesPayloadBytesMax) {
                files.append(ModelFiles.File(name: name, bytes: bytes))
            }
        }
        return ModelFiles(
            modelName: modelName, contextTokensMax: UInt32(engine?.contextTokensMax ?? description.contextTokensMax),
            vocabularySize: UInt32(description.vocabularySize), files: files)
    }
}
