/// A sequence as the scheduler knows it, unique for the life of the process.
public struct SequenceID: Hashable, Comparable, Sendable {
    /// Counts up from 1.
    public let value: UInt64

    /// Names sequence `value`.
    public init(_ value: UInt64) { self.value = value }

    /// Orders sequences by age.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// What bounds a step.
public struct SchedulerLimits: Hashable, Sendable {
    /// Sequences in the running batch.
    public let sequencesMax: Int
    /// Rows (tokens) of one step; bounds how long a prompt's chunk delays the sequences that decode.
    public let rowsMax: Int
    /// Positions of one block of the cache.
    public let blockPositions: Int
    /// Blocks of the cache.
    public let blockCount: Int

    /// Bounds steps.
    public init(sequencesMax: Int, rowsMax: Int, blockPositions: Int, blockCount: Int) {
        self.sequencesMax = sequencesMax
        self.rowsMax = rowsMax
        self.blockPositions = blockPositions
        self.blockCount = blockCount
    }
}

/// What the next step computes.
public struct StepPlan: Hashable, Sendable {
    /// Tokens of one sequence.
    public struct Work: Hashable, Sendable {
        /// The sequence.
        public let sequence: SequenceID
        /// Positions to be computed; a decoding sequence has one.
        public let positions: Range<Int>
    }

    /// Sequences that lost their cache to older ones; they wait again and start over later. (Kernels are
    /// batch-invariant, so the second time gives the same bits.)
    public var preempted: [SequenceID] = []
    /// The step's rows; decoding sequences first, each group oldest first.
    public var work: [Work] = []
}

/// Decides, before every step, which tokens of which sequences it computes: continuous batching with chunked prefill.
///
/// Sequences join and leave at every step. Those that decode come first (one row each), then prompts are fed in chunks
/// of what is left of `rowsMax`, then waiting sequences are admitted in order of arrival. Cache blocks are taken as a
/// sequence grows; when none is left the youngest running sequence is preempted.
///
/// Pure: no clock, no threads; `add`, `append` and `remove` tell it what happened, `nextStep` what to do.
public struct Scheduler: Sendable {
    private struct Entry {
        let sequence: SequenceID
        var tokenCount: Int
        var computedCount = 0
        var blockCount = 0

        var remaining: Int { tokenCount - computedCount }
    }

    private let limits: SchedulerLimits
    /// Oldest first.
    private var running: [Entry] = []
    /// In order of arrival; preempted sequences in front.
    private var waiting: [Entry] = []
    private var freeBlocks: Int

    /// Starts with nothing to do.
    public init(_ limits: SchedulerLimits) {
        precondition(limits.rowsMax >= limits.sequencesMax, "every running sequence can decode in every step")
        self.limits = limits
        freeBlocks = limits.blockCount
    }

    /// Sequences in the running batch.
    public var runningCount: Int { running.count }
    /// Sequences that wait.
    public var waitingCount: Int { waiting.count }
    /// Positions of the cache that are taken, in whole blocks.
    public var takenPositions: Int { (limits.blockCount - freeBlocks) * limits.blockPositions }
    /// Whether there is nothing to compute.
    public var isIdle: Bool { running.isEmpty && waiting.isEmpty }

    /// A new sequence of `tokenCount` tokens. Its longest form must fit the cache when it is alone.
    public mutating func add(_ sequence: SequenceID, tokenCount: Int) {
        precondition(tokenCount > 0, "a sequence has a token")
        waiting.append(Entry(sequence: sequence, tokenCount: tokenCount))
    }

    /// A sequence whose tokens are all computed got one more.
    public mutating func append(_ sequence: SequenceID) {
        guard let index = running.firstIndex(where: { $0.sequence == sequence }) else {
            preconditionFailure("only running sequences grow")
        }
        running[index].tokenCount += 1
    }

    /// A sequence ended or was cancelled; unknown ones are ignored.
    public mutating func remove(_ sequence: SequenceID) {
        if let index = running.firstIndex(where: { $0.sequence == sequence }) {
            freeBlocks += running.remove(at: index).blockCount
        }
        waiting.removeAll { $0.sequence == sequence }
    }

    /// Plans the next step; what it plans counts as computed.
    public mutating func nextStep() -> StepPlan {
        var plan = StepPlan()
        var rowsLeft = limits.rowsMax
        for decodes in [true, false] {
            for sequence in running.filter({ ($0.remaining == 1) == decodes && $0.remaining > 0 }).map(\.sequence) {
                schedule(sequence, &plan, &rowsLeft)
            }
        }
        if plan.preempted.isEmpty { admit(&plan, &rowsLeft) }
        return plan
    }

    private mutating func schedule(_ sequence: SequenceID, _ plan: inout StepPlan, _ rowsLeft: inout Int) {
        while let index = running.firstIndex(where: { $0.sequence == sequence }), rowsLeft > 0 {
            let count = min(running[index].remaining, rowsLeft)
            if take(count, at: index, &plan) {
                rowsLeft -= count
                return
            }
            preemptYoungest(&plan, &rowsLeft)
        }
    }

    /// Adds `count` tokens of the entry at `index` to the plan if the cache has room for them.
    private mutating func take(_ count: Int, at index: Int, _ plan: inout StepPlan) -> Bool {
        let start = running[index].computedCount
        let blocks = (start + count + limits.blockPositions - 1) / limits.blockPositions
        let more = blocks - running[index].blockCount
        guard more <= freeBlocks else { return false }
        freeBlocks -= more
        running[index].blockCount = blocks
        running[index].computedCount = start + count
        plan.work.append(StepPlan.Work(sequence: running[index].sequence, positions: start..<start + count))
        return true
    }

    private mutating func preemptYoungest(_ plan: inout StepPlan, _ rowsLeft: inout Int) {
        var entry = running.removeLast()
        freeBlocks += entry.blockCount
        entry.blockCount = 0
        entry.computedCount = 0
        waiting.insert(entry, at: 0)
        plan.preempted.append(entry.sequence)
        // It may have been planned already in this very step: its rows are free again.
        for work in plan.work where work.sequence == entry.sequence { rowsLeft += work.positions.count }
        plan.work.removeAll { $0.sequence == entry.sequence }
    }

    private mutating func admit(_ plan: inout StepPlan, _ rowsLeft: inout Int) {
        while rowsLeft > 0, running.count < limits.sequencesMax, let entry = waiting.first {
            let count = min(entry.remaining, rowsLeft)
            running.append(entry)
            guard take(count, at: running.count - 1, &plan) else {
                running.removeLast()
                return
            }
            waiting.removeFirst()
            rowsLeft -= count
        }
    }
}
