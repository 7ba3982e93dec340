import Basics
import CKernels

/// A table of kernels and a pool of threads: everything that computes goes through one of these.
///
/// The result of every operation is the same, bit for bit, for each instruction set, number of threads and split into
/// batches. Shapes are checked with preconditions: they come from a model that was checked when it was loaded.
///
/// `@unchecked Sendable`: a copy of a constant table, and the pool.
public final class Compute: @unchecked Sendable {
    /// The instructions in use.
    public let instructionSet: InstructionSet
    /// The threads in use.
    public let pool: ComputePool
    /// In which form activations meet weights that are stored in blocks.
    public let activations: ActivationFormat
    /// How panels are cut among the nodes of the memory; one part on most machines.
    let cut: PanelCut
    let table: colony_kernel_table
    let kernels: FormatKernels

    /// Chooses the kernels and starts `threadCount` threads anywhere.
    ///
    /// Throws `instructionSetUnavailable` or `threadCountOutOfRange`.
    public convenience init(
        instructionSet: InstructionSet, threadCount: Int, spinMicroseconds: Int = 1000,
        activations: ActivationFormat = .int8
    ) throws(KernelError) {
        try self.init(
            instructionSet: instructionSet, threads: ThreadPlacement(count: threadCount),
            spinMicroseconds: spinMicroseconds, activations: activations)
    }

    /// Chooses the kernels and starts the threads.
    ///
    /// Throws `instructionSetUnavailable` or `threadCountOutOfRange`.
    public init(
        instructionSet: InstructionSet, threads: ThreadPlacement, spinMicroseconds: Int = 1000,
        activations: ActivationFormat = .int8
    ) throws(KernelError) {
        guard let table = instructionSet.table?.pointee else {
            throw .instructionSetUnavailable(requested: instructionSet, available: InstructionSet.available)
        }
        guard (1...Limits.Kernels.threadCountMax).contains(threads.count) else {
            throw .threadCountOutOfRange(count: threads.count, limit: Limits.Kernels.threadCountMax)
        }
        self.table = table
        self.activations = activations
        kernels = FormatKernels(table)
        self.instructionSet = instructionSet
        cut = threads.cut
        pool = ComputePool(threads: threads, spinMicroseconds: spinMicroseconds)
    }

    private init(_ other: Compute, activations: ActivationFormat) {
        table = other.table
        kernels = other.kernels
        instructionSet = other.instructionSet
        pool = other.pool
        cut = other.cut
        self.activations = activations
    }

    /// The same kernels and threads with another form of activations; both may be used, one call at a time.
    public func using(_ activations: ActivationFormat) -> Compute {
        activations == self.activations ? self : Compute(self, activations: activations)
    }

    /// Runs tasks that are `work` multiply-adds in all: on the pool, or on the caller alone where waking others would
    /// take longer.
    func run(_ taskCount: Int, work: Int, _ body: (_ task: Int, _ thread: Int) -> Void) {
        if work > serialWorkMax { return pool.runOnThreads(taskCount, body) }
        for task in 0..<taskCount { body(task, 0) }
    }

    /// Runs `body` on ranges of steps through weights that meet `tokenCount` tokens, `work` multiply-adds in all. Few
    /// tokens wait for memory, which is read fastest in long runs; many keep a thread busy for a while in each step, so
    /// that steps are shared out one by one. Each node of the memory has steps of its own, numbered from 0; there is
    /// one node on most machines.
    package func runSteps(
        _ stepCount: (_ node: Int) -> Int, tokenCount: Int, work: Int, _ body: (_ node: Int, Range<Int>) -> Void
    ) {
        guard cut.count == 1 else { return runStepsOnNodes(stepCount, tokenCount: tokenCount, work: work, body) }
        let stepCount = stepCount(0)
        if work <= serialWorkMax { return body(0, 0..<stepCount) }
        if tokenCount < tokensPerLongRunMax { return parallel(stepCount, grain: 1) { body(0, $0) } }
        let stepsPerRun = stepsPerRun(of: stepCount)
        pool.run((stepCount + stepsPerRun - 1) / stepsPerRun) { run in
            body(0, run * stepsPerRun..<min((run + 1) * stepsPerRun, stepCount))
        }
    }

    private func stepsPerRun(of stepCount: Int) -> Int {
        min(max(stepCount / (runsPerThreadMin * pool.threadCount), 1), stepsPerRunMax)
    }

    private func runStepsOnNodes(
        _ stepCount: (_ node: Int) -> Int, tokenCount: Int, work: Int, _ body: (_ node: Int, Range<Int>) -> Void
    ) {
        let stepCounts = (0..<cut.count).map(stepCount)
        if work <= serialWorkMax { return stepCounts.enumerated().forEach { body($0, 0..<$1) } }
        let stepsPerRun = tokenCount < tokensPerLongRunMax ? nil : stepsPerRun(of: stepCounts.reduce(0, +))
        let runs = zip(stepCounts, cut.threadCounts).map { count, threadCount in
            StepRuns(stepCount: count, stepsPerRun: stepsPerRun, threadCount: threadCount)
        }
        let ends = runs.reduce(into: []) { $0.append(($0.last ?? 0) + $1.count) }
        ends.withUnsafeBufferPointer { ends in
            pool.run(ends: ends) { task in
                guard let node = ends.firstIndex(where: { task < $0 }) else { return }
                let steps = runs[node][task - ends[node] + runs[node].count]
                if !steps.isEmpty { body(node, steps) }
            }
        }
    }

    /// Runs `body` over all of `count` in contiguous pieces of `grain` or more, a few per thread.
    func parallel(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
        let grains = max(count / max(grain, 1), 1)
        if grains == 1 || pool.isCallerAlone { return body(0..<count) }
        let pieces = WorkPieces(grains, threadCount: pool.threadCount)
        pool.run(pieces.pieceCount) { index in
            let piece = pieces[index]
            if !piece.isEmpty { body(count * piece.lowerBound / grains..<count * piece.upperBound / grains) }
        }
    }
}

/// How one node's steps are cut into tasks.
private struct StepRuns {
    let stepCount: Int
    /// Steps of each task; nil for pieces of several lengths, long ones first.
    let stepsPerRun: Int?
    let pieces: WorkPieces

    init(stepCount: Int, stepsPerRun: Int?, threadCount: Int) {
        self.stepCount = stepCount
        self.stepsPerRun = stepsPerRun
        pieces = WorkPieces(stepCount, threadCount: threadCount)
    }

    var count: Int { stepsPerRun.map { (stepCount + $0 - 1) / $0 } ?? pieces.pieceCount }

    subscript(run: Int) -> Range<Int> {
        stepsPerRun.map { run * $0..<min((run + 1) * $0, stepCount) } ?? pieces[run]
    }
}

/// Multiply-adds that one thread does in the microseconds that sharing them out would take.
let serialWorkMax = 1 << 16

/// From so many tokens on, weights wait for arithmetic rather than arithmetic for weights.
let tokensPerLongRunMax = 8

/// With many tokens: fewer runs than this per thread would leave some idle at the end.
private let runsPerThreadMin = 8

/// With many tokens: what is at the beginning of a run has not been asked for, so that a run is several steps.
private let stepsPerRunMax = 4
