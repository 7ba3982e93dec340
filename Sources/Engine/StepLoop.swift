import Basics
import Kernels
import Models
import Scheduling
import Wire

/// The engine's loop body, one call per step: schedule → forward → sample → report. Lives on one thread.
final class StepLoop {
    private let model: Model
    private let pool: CachePool
    private let state: ForwardState
    private let experts: any ExpertBackend
    /// How many experts each layer with a router picks per token.
    private let expertCounts: [UInt16]
    private var scheduler: Scheduler
    private var sampler: Sampler
    private var sequences: [SequenceID: RunningSequence] = [:]
    private var endedCount = 0
    private(set) var statistics = EngineStatistics()

    init(
        model: Model, pool: CachePool, scheduler: Scheduler, experts: any ExpertBackend, state: ForwardState
    ) {
        self.model = model
        self.pool = pool
        self.scheduler = scheduler
        self.experts = experts
        self.state = state
        expertCounts = model.description.mixtures.map { UInt16(clamping: $0.expertsPerToken) }
        sampler = Sampler(compute: state.compute)
    }

    var isIdle: Bool { scheduler.isIdle }

    func takeEndedCount() -> Int {
        defer { endedCount = 0 }
        return endedCount
    }

    func receive(_ message: Engine.Message) {
        switch message {
        case .cancel(let id):
            guard let sequence = sequences[id] else { return }
            end(sequence)
            sequence.onEvent(.progress(Generated(finish: .cancelled)))
        case .failAll(let refusal): failAll(refusal)
        case .stop: break
        case .submit(let id, let request, let tokensMax, let onEvent):
            let cache = SequenceCache(pool: pool, positionsMax: tokensMax)
            sequences[id] = RunningSequence(
                id: id, request: request, cache: cache, tokensMax: tokensMax, onEvent: onEvent)
            scheduler.add(id, tokenCount: request.prompt.count)
        }
    }

    func failAll(_ refusal: Refusal) {
        for sequence in sequences.values.sorted(by: { $0.id < $1.id }) { fail(sequence, refusal) }
        publishGauges()
    }

    func step() {
        guard !scheduler.isIdle else { return publishGauges() }
        let plan = scheduler.nextStep()
        for id in plan.preempted { sequences[id]?.cache.release() }
        let batch = gather(plan)
        do {
            try model.forward(batch, state, experts: experts)
            sample(plan)
            advance(plan)
        } catch {
            experts.abandon()
            for work in plan.work { sequences[work.sequence].map { fail($0, error.refusal) } }
        }
        statistics.steps += 1
        publishGauges()
    }

    /// The rows of the plan, in its order.
    private func gather(_ plan: StepPlan) -> StepBatch {
        var batch = StepBatch()
        for work in plan.work {
            guard let sequence = sequences[work.sequence] else { preconditionFailure("planned sequences exist") }
            let fits = sequence.cache.reserve(work.positions.upperBound)
            precondition(fits, "the scheduler counts the same blocks as the pool")
            for position in work.positions {
                batch.rows.append(
                    StepBatch.Row(token: sequence.token(at: position), position: position, cache: sequence.cache))
            }
            if sequence.request.wantsRoutedExperts, sequence.drawsToken(after: work.positions) {
                batch.recordedRows.append(batch.rows.count - 1)
            }
        }
        return batch
    }

    private func sample(_ plan: StepPlan) {
        var rows: [Int] = []
        var takers: [(sequence: RunningSequence, position: Int)] = []
        var firstRow = 0
        for work in plan.work {
            guard let sequence = sequences[work.sequence] else { continue }
            for position in sequence.logitPositions(of: work.positions) {
                rows.append(firstRow + position - work.positions.lowerBound)
                takers.append((sequence, position))
            }
            firstRow += work.positions.count
        }
        model.withLogits(ofRows: rows, state) { index, logits in
            let sequence = takers[index].sequence
            guard sequence.takeLogits(logits, position: takers[index].position, &sampler) else { return }
            statistics.generatedTokens += 1
            if let experts = state.recordedExperts(ofRow: rows[index]) {
                sequence.takeExperts(RoutedExperts(countPerLayer: expertCounts, experts: experts))
            }
        }
    }

    private func advance(_ plan: StepPlan) {
        for work in plan.work {
            guard let sequence = sequences[work.sequence] else { continue }
            statistics.promptTokens += UInt64(work.positions.clamped(to: 0..<sequence.request.prompt.count).count)
            if let failure = sequence.failure {
                fail(sequence, failure)
                continue
            }
            switch sequence.finishStep(computedCount: work.positions.upperBound) {
            case .continues: break
            case .ended: end(sequence)
            case .grew: scheduler.append(sequence.id)
            }
        }
    }

    private func fail(_ sequence: RunningSequence, _ refusal: Refusal) {
        end(sequence)
        statistics.failedRequests += 1
        sequence.onEvent(.failed(refusal))
    }

    private func end(_ sequence: RunningSequence) {
        scheduler.remove(sequence.id)
        sequences[sequence.id] = nil
        sequence.cache.release()
        endedCount += 1
    }

    private func publishGauges() {
        statistics.runningSequences = scheduler.runningCount
        statistics.waitingSequences = scheduler.waitingCount
        statistics.cachedTokens = scheduler.takenPositions
        statistics.phases = state.phases
    }
}

extension ExpertBackendError {
    /// What a client is told.
    var refusal: Refusal {
        switch self {
        case .refused: Refusal(.internalError, description)
        case .workerUnavailable: Refusal(.unavailable, description)
        }
    }
}
