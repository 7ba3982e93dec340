import Basics
import Dispatch
import Foundation
import Kernels
import Models
import Scheduling
import Synchronization
import Wire

/// How an engine is sized.
public struct EngineOptions: Sendable {
    /// Sequences in the running batch.
    public var sequencesMax: Int
    /// Rows of one step.
    public var rowsMax: Int
    /// Sequences that may wait; more are refused as overload.
    public var waitingMax: Int
    /// Memory for what layers keep of sequences, keys and values and states, in bytes.
    public var keyValueCacheBytes: Int
    /// How keys and values are stored; nil: as the model's weights suggest, see `Model.cacheLayouts`.
    public var keyValueFormat: KeyValueFormat?

    /// Sizes an engine.
    public init(
        sequencesMax: Int, rowsMax: Int, waitingMax: Int, keyValueCacheBytes: Int,
        keyValueFormat: KeyValueFormat? = nil
    ) {
        self.sequencesMax = sequencesMax
        self.rowsMax = rowsMax
        self.waitingMax = waitingMax
        self.keyValueCacheBytes = keyValueCacheBytes
        self.keyValueFormat = keyValueFormat
    }
}

/// Why an engine cannot start.
public enum EngineError: Error, Equatable, CustomStringConvertible {
    /// The system does not grant the address space of the cache.
    case cacheNotGranted(byteCount: Int)
    /// The cache cannot hold a single sequence of a single block.
    case cacheTooSmall(byteCount: Int, blockBytes: Int, stateBytes: Int)

    /// One line for people.
    public var description: String {
        switch self {
        case .cacheNotGranted(let byteCount): "the system does not grant \(byteCount) bytes for the key-value cache"
        case .cacheTooSmall(let byteCount, let blockBytes, 0):
            "a key-value cache of \(byteCount) bytes cannot hold one block of \(blockBytes) bytes"
        case .cacheTooSmall(let byteCount, let blockBytes, let stateBytes):
            """
            a cache of \(byteCount) bytes cannot hold one sequence: \(stateBytes) bytes of state and one \
            block of \(blockBytes) bytes
            """
        }
    }
}

/// Figures of an engine since its start.
public struct EngineStatistics: Sendable {
    /// Sequences in the running batch.
    public var runningSequences = 0
    /// Sequences that wait.
    public var waitingSequences = 0
    /// Positions of the cache that are taken.
    public var cachedTokens = 0
    /// Tokens generated.
    public var generatedTokens: UInt64 = 0
    /// Prompt tokens computed.
    public var promptTokens: UInt64 = 0
    /// Requests accepted.
    public var requests: UInt64 = 0
    /// Requests that ended with an error.
    public var failedRequests: UInt64 = 0
    /// Steps run.
    public var steps: UInt64 = 0
    /// Where the time of the steps went.
    public var phases = StepPhases()
}

/// Continues sequences: takes requests from any thread, runs the step loop on a thread of its own, reports through each
/// request's `onEvent` (called on that thread: it must only pass the event on).
///
/// ```
/// submit, cancel, fail ──▶ mailbox ──▶ │ receive → schedule → forward → sample → report │ ⟲  (one thread)
/// ```
public final class Engine: Sendable {
    /// What other threads ask of the step loop.
    enum Message: Sendable {
        case cancel(SequenceID)
        case failAll(Refusal)
        case stop
        case submit(SequenceID, Generate, tokensMax: Int, @Sendable (GenerationEvent) -> Void)
    }

    private struct Mailbox {
        var messages: [Message] = []
        var nextSequence: UInt64 = 1
        var openCount = 0
        var statistics = EngineStatistics()
    }

    private let description: ModelDescription
    private let options: EngineOptions
    private let mailbox = Mutex(Mailbox())
    private let wakeUp = DispatchSemaphore(value: 0)
    private let stopped = DispatchSemaphore(value: 0)
    /// Longest sequence that is served: the model's context, or what the cache holds if that is less.
    public let contextTokensMax: Int
    /// Positions that the cache has room for.
    public let cachedTokensMax: Int
    /// How the layers' keys and values are stored.
    public let keyValueFormats: [KeyValueFormat]
    /// The same as text: a format, or several as in `f32/f16`.
    public var keyValueFormatText: String { keyValueFormats.map(\.rawValue).joined(separator: "/") }
    /// What a position takes in the cache, all layers together.
    public let keyValueBytesPerToken: Int
    /// What recurrent layers and windows keep of a sequence, however long, all together, in bytes; 0 if there are
    /// none.
    public let stateBytesPerSequence: Int
    /// Sequences that may run at a time: as the options say, or as many as the cache has states for.
    public let sequencesMax: Int

    /// Starts the step loop. `makeExperts` is called once, on the loop's thread.
    public init(
        model: Model, options: EngineOptions, compute: Compute, contextTokensMax: Int? = nil,
        makeExperts: @escaping @Sendable () -> any ExpertBackend
    ) throws(EngineError) {
        let layouts = model.cacheLayouts(options.keyValueFormat)
        let pool = try Self.makePool(layouts, options)
        description = model.description
        self.options = options
        let formats = Set(layouts.flatMap { [$0.keyValues?.format, $0.window?.layout.format].compactMap { $0 } })
        keyValueFormats = KeyValueFormat.allCases.filter(formats.contains)
        keyValueBytesPerToken = layouts.positionBytes
        stateBytesPerSequence = layouts.stateBytes
        sequencesMax = min(options.sequencesMax, pool.sequenceCount)
        // Where nothing grows with a sequence, blocks are without number.
        cachedTokensMax =
            layouts.blockBytes == 0
            ? pool.sequenceCount * model.description.contextTokensMax : pool.blockCount * pool.blockPositions
        self.contextTokensMax = min(contextTokensMax ?? .max, model.description.contextTokensMax, cachedTokensMax)
        let scheduler = SchedulerLimits(
            sequencesMax: sequencesMax, rowsMax: max(options.rowsMax, sequencesMax),
            blockPositions: pool.blockPositions, blockCount: pool.blockCount)
        let thread = Thread { [self] in
            let loop = StepLoop(
                model: model, pool: pool, scheduler: Scheduler(scheduler), experts: makeExperts(),
                state: ForwardState(model.description, rowsMax: scheduler.rowsMax, compute: compute))
            run(loop)
            stopped.signal()
        }
        thread.name = "engine"
        thread.stackSize = 4 << 20
        thread.start()
    }

    private static func makePool(
        _ layouts: [LayerCacheLayout], _ options: EngineOptions
    ) throws(EngineError) -> CachePool {
        let byteCount = options.keyValueCacheBytes
        guard byteCount >= layouts.blockBytes + layouts.stateBytes else {
            throw .cacheTooSmall(
                byteCount: byteCount, blockBytes: layouts.blockBytes, stateBytes: layouts.stateBytes)
        }
        guard let pool = CachePool(layouts: layouts, byteCount: byteCount, sequencesMax: options.sequencesMax) else {
            throw .cacheNotGranted(byteCount: byteCount)
        }
        return pool
    }

    /// Asks for a continuation. Events follow on the engine's thread, the last one `failed` or with a finish reason.
    public func submit(
        _ request: Generate, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(Refusal) -> SequenceID {
        let tokensMax = try RequestValidation(
            vocabularySize: description.vocabularySize, contextTokensMax: contextTokensMax,
            expertsPerToken: description.expertsPerToken
        ).tokensMax(of: request)
        let sequence = mailbox.withLock { mailbox -> SequenceID? in
            guard mailbox.openCount < options.waitingMax + options.sequencesMax else { return nil }
            let sequence = SequenceID(mailbox.nextSequence)
            mailbox.nextSequence += 1
            mailbox.openCount += 1
            mailbox.statistics.requests += 1
            mailbox.messages.append(.submit(sequence, request, tokensMax: tokensMax, onEvent))
            return sequence
        }
        guard let sequence else {
            throw Refusal(.overloaded, "\(options.waitingMax + options.sequencesMax) requests are under way, the limit")
        }
        wakeUp.signal()
        return sequence
    }

    /// Ends a sequence; its last event has the reason `cancelled`. Sequences that have ended are ignored.
    public func cancel(_ sequence: SequenceID) { post(.cancel(sequence)) }

    /// Ends every sequence with an error: something that all of them need is gone.
    public func failAll(_ refusal: Refusal) { post(.failAll(refusal)) }

    /// Ends every sequence and the step loop, and waits for both.
    public func stop() {
        post(.stop)
        stopped.wait()
        stopped.signal()
    }

    /// Figures since the start.
    public var statistics: EngineStatistics { mailbox.withLock { $0.statistics } }

    private func post(_ message: Message) {
        mailbox.withLock { $0.messages.append(message) }
        wakeUp.signal()
    }

    private func run(_ loop: StepLoop) {
        while true {
            if loop.isIdle { wakeUp.wait() }
            let messages = mailbox.withLock { mailbox in
                defer { mailbox.messages = [] }
                return mailbox.messages
            }
            for message in messages {
                if case .stop = message {
                    loop.failAll(Refusal(.unavailable, "the coordinator is stopping"))
                    return publish(loop)
                }
                loop.receive(message)
            }
            loop.step()
            publish(loop)
        }
    }

    private func publish(_ loop: StepLoop) {
        mailbox.withLock { mailbox in
            mailbox.openCount -= loop.takeEndedCount()
            let requests = mailbox.statistics.requests
            mailbox.statistics = loop.statistics
            mailbox.statistics.requests = requests
        }
    }
}
