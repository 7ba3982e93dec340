import Basics
import GatewayClient
import Glibc

/// Waits until the cluster can generate, and shows meanwhile what it waits for and how long that will take.
struct ReadinessWait {
    let connection: GatewayConnection
    let terminal: Terminal
    let signals: SignalPipe?

    /// Returns once the cluster can generate. `failsAtOnce` throws instead of waiting.
    func run(failsAtOnce: Bool = false) throws(GatewayFailure) {
        var line = StatusLine(terminalColumns: terminal.statusColumns)
        let begin = ContinuousClock.now
        defer { terminal.writeStatus(line.end()) }
        while case .unavailable(let reason) = try connection.availability() {
            if failsAtOnce { throw .refused(status: 503, code: nil, message: "the cluster is not ready: \(reason)") }
            let milliseconds = Int((ContinuousClock.now - begin) / .milliseconds(1))
            terminal.writeStatus(line.show("waiting for the cluster: \(reason)", atMilliseconds: milliseconds))
            try pause()
        }
    }

    private func pause() throws(GatewayFailure) {
        let milliseconds = Limits.GatewayClient.probeIntervalMilliseconds
        if let signals {
            if signals.waitForInterrupt(milliseconds: milliseconds) { throw .interrupted }
        } else {
            usleep(useconds_t(milliseconds * 1000))
        }
    }
}
