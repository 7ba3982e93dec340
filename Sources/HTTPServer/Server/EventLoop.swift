import Basics
import Dispatch
import Glibc
import Synchronization

/// One of the fixed queues that serve connections, with what they share: a read buffer, a timer, the date.
///
/// All members but `responseDidChange` are used on `queue` only, which is what makes the class safe to share.
final class EventLoop: @unchecked Sendable {
    private struct Changes {
        var responses: [HTTPResponse] = []
        var isScheduled = false
    }

    let queue: DispatchQueue
    /// Bytes just received; valid until the next read on this queue.
    let readBuffer: UnsafeMutableRawBufferPointer
    /// A buffer lent to the connection that is writing, so that idle ones own none.
    var spareOutbox: [UInt8] = []
    /// The same for what is yet to be encrypted.
    var sparePlaintext: [UInt8] = []
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var timer: (any DispatchSourceTimer)?
    private let changes = Mutex(Changes())
    private var dateSecond = 0
    private var dateText = ""

    init(name: String) {
        queue = DispatchQueue(label: name)
        readBuffer = .allocate(byteCount: Limits.HTTP.readBytesMax, alignment: 64)
    }

    deinit { readBuffer.deallocate() }

    /// The number of open connections.
    var connectionCount: Int { connections.count }

    /// All open connections.
    var openConnections: [Connection] { Array(connections.values) }

    func add(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = connection
        startTimer()
    }

    func remove(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = nil
        guard connections.isEmpty else { return }
        timer?.cancel()
        timer = nil
    }

    /// Called on any thread: has the response's connection look at it, together with all others that change until then.
    func responseDidChange(_ response: HTTPResponse) {
        let mustSchedule = changes.withLock { changes in
            changes.responses.append(response)
            defer { changes.isScheduled = true }
            return !changes.isScheduled
        }
        if mustSchedule { queue.async { self.handleChanges() } }
    }

    private func handleChanges() {
        let responses = changes.withLock { changes in
            changes.isScheduled = false
            defer { changes.responses = [] }
            return changes.responses
        }
        for response in responses { response.sink?.responseDidChange(response) }
        for response in responses { (response.sink as? any HTTPSession)?.connection?.flush() }
    }

    // An idle server has no timer at all.
    private func startTimer() {
        guard timer == nil else { return }
        let interval = DispatchTimeInterval.milliseconds(Limits.HTTP.timerIntervalMilliseconds)
        let source = DispatchSource.makeTimerSource(queue: queue)
        source.schedule(deadline: .now() + interval, repeating: interval, leeway: interval)
        source.setEventHandler { [weak self] in self?.tick() }
        source.activate()
        timer = source
    }

    private func tick() {
        let now = MonotonicClock.nowMilliseconds()
        for connection in openConnections { connection.tick(now: now) }
    }

    /// The value of a Date header, as of this second.
    func date() -> String {
        let now = time(nil)
        if now != dateSecond {
            dateSecond = now
            dateText = HTTPDate.text(secondsSinceEpoch: now)
        }
        return dateText
    }
}

/// A clock that nobody sets.
enum MonotonicClock {
    static func nowMilliseconds() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }
}

/// The format of RFC 9110 §5.6.7, without the locale that `strftime` brings.
package enum HTTPDate {
    /// For instance `Sun, 06 Nov 1994 08:49:37 GMT`.
    package static func text(secondsSinceEpoch seconds: Int) -> String {
        var input = time_t(seconds)
        var parts = tm()
        gmtime_r(&input, &parts)
        let day = weekdays[Int(parts.tm_wday) % 7]
        let month = months[Int(parts.tm_mon) % 12]
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map(twoDigits).joined(separator: ":")
        return "\(day), \(twoDigits(parts.tm_mday)) \(month) \(Int(parts.tm_year) + 1900) \(clock) GMT"
    }

    private static func twoDigits(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
