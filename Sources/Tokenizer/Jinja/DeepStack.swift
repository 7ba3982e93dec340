import Foundation

/// Runs work that recurses on a thread with a stack of its own. Templates may nest as deep as `Limits.Template` allows
/// whatever thread asks for them; servers' threads often have 512 KiB, which unoptimised builds outgrow. Only the pages
/// that are touched cost memory, and a thread costs some ten microseconds.
enum DeepStack {
    /// Enough for `callDepthMax` macros, each nested `nestingMax` deep, without optimisation.
    private static let stackBytes = 64 << 20

    /// What runs on the other thread. `@unchecked Sendable`: the one thread writes `result` and ends before the other
    /// reads it.
    private final class Job<Success: Sendable>: @unchecked Sendable {
        let body: @Sendable () throws(TokenizerError) -> Success
        var result: Result<Success, TokenizerError>?

        init(_ body: @escaping @Sendable () throws(TokenizerError) -> Success) { self.body = body }

        func run() { result = Result(catching: body) }
    }

    /// A job of any type, as the thread's start routine gets it.
    private final class Start {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    /// Runs `body` on a thread of its own and waits for it.
    static func run<Success: Sendable>(
        _ body: @escaping @Sendable () throws(TokenizerError) -> Success
    ) throws(TokenizerError) -> Success {
        let job = Job(body)
        let start = Unmanaged.passRetained(Start { job.run() })
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        defer { attributes.deallocate() }
        pthread_attr_init(attributes)
        defer { pthread_attr_destroy(attributes) }
        pthread_attr_setstacksize(attributes, stackBytes)
        var thread: pthread_t = 0
        let status = pthread_create(
            &thread, attributes,
            { context in
                if let context { Unmanaged<Start>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, start.toOpaque())
        guard status == 0 else {
            start.release()
            throw .templateFailed(line: 0, reason: "no thread to run on (error \(status))")
        }
        pthread_join(thread, nil)
        guard let result = job.result else { throw .templateFailed(line: 0, reason: "the thread gave no result") }
        return try result.get()
    }
}
