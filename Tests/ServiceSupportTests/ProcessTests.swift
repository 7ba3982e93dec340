import Foundation
import Glibc
import ServiceSupport
import Synchronization
import TestSupport
import Testing

/// Memory, signals and time.
@Suite struct ProcessTests {
    private func available(_ files: [String: String]) throws -> UInt64? {
        let directory = try TemporaryDirectory()
        for (name, text) in files { try directory.write(name, text: text) }
        return ProcessMemory.availableBytes(
            processRoot: directory.path + "/proc", controlGroupRoot: directory.path + "/cgroup")
    }

    private let memory = "MemTotal:       2000 kB\nMemAvailable:   1000 kB\n"

    @Test func theMachineLimits() throws {
        #expect(try available(["proc/meminfo": memory]) == 1_024_000)
        #expect(try available([:]) == nil)
    }

    @Test func everyControlGroupAboveLimits() throws {
        let files = [
            "proc/meminfo": memory, "proc/self/cgroup": "0::/outer/inner\n",
            "cgroup/outer/inner/memory.max": "max\n", "cgroup/outer/inner/memory.current": "5\n",
            "cgroup/outer/memory.max": "500000\n", "cgroup/outer/memory.current": "300000\n",
            "cgroup/outer/memory.stat": "anon 1\nactive_file 40000\ninactive_file 60000\n",
        ]
        #expect(try available(files) == 300_000)
    }

    @Test func theOldControlGroupsLimitToo() throws {
        let files = [
            "proc/meminfo": memory, "proc/self/cgroup": "5:cpu:/x\n4:memory:/job\n",
            "cgroup/memory/job/memory.limit_in_bytes": "1000\n", "cgroup/memory/job/memory.usage_in_bytes": "2000\n",
        ]
        #expect(try available(files) == 0)
    }

    @Test func thisProcessHasMemory() throws {
        // Other tests of this process may give memory back at the same moment, but not every time.
        #expect((0..<20).contains { _ in Self.residentBytesGrow(with: 32 << 20) })
        #expect(try #require(ProcessMemory.availableBytes()) > 0)
    }

    private static func residentBytesGrow(with byteCount: Int) -> Bool {
        let before = ProcessMemory.residentBytes()
        let block = [UInt8](repeating: 1, count: byteCount)
        return ProcessMemory.residentBytes() > before + UInt64(byteCount / 2) && block.last == 1
    }

    @Test func theFirstSignalEndsTheWaitAndItsRepetitionTheProcess() throws {
        let repetition = DispatchSemaphore(value: 0)
        let number = Mutex<Int32>(0)
        let waiter = SignalWaiter(signals: [SIGUSR1, SIGUSR2]) { signal in
            number.withLock { $0 = signal }
            repetition.signal()
        }
        #expect(waiter.wait(timeoutMilliseconds: 1) == nil)
        kill(getpid(), SIGUSR1)
        #expect(waiter.wait() == SIGUSR1)
        #expect(waiter.wait(timeoutMilliseconds: 1) == SIGUSR1)
        waiter.trigger()
        kill(getpid(), SIGUSR2)
        #expect(
            repetition.wait(timeout: .now() + .milliseconds(50)) == .timedOut, "another signal is no repetition")
        kill(getpid(), SIGUSR2)
        #expect(repetition.wait(timeout: .now() + 10) == .success)
        #expect(number.withLock { $0 } == SIGUSR2)
        #expect(waiter.wait() == SIGUSR1)
    }

    @Test func stopwatchesGoForward() {
        var watch = Stopwatch()
        var last: UInt64 = 0
        for _ in 0..<100 {
            let now = watch.elapsedNanoseconds
            #expect(now >= last)
            last = now
        }
        #expect(watch.lapNanoseconds() >= last)
        #expect(watch.elapsedSeconds < 60)
    }
}
