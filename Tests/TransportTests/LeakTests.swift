import Basics
import Foundation
import TestSupport
import Testing
import Transport
import Wire

/// Nothing is left behind by links that came and went. Counts descriptors and threads of the whole process, so it waits
/// until the other tests that run beside it leave a quiet moment.
@Suite(.serialized) struct LeakTests {
    @Test(.timeLimit(.minutes(2)), arguments: [0, 200])
    func linksThatCameAndWentLeaveNothing(busyPollMicroseconds: Int) throws {
        let options = LinkOptions(busyPollMicroseconds: busyPollMicroseconds)
        let cluster = try TestCluster()
        let listener = try cluster.listen("worker-1", .worker, options: options)
        let identity = try cluster.identity("coordinator", .coordinator)
        var links: [Link] = []
        for round in 0..<100 {
            let link = try Link.dial(
                listener.loopback, identity: identity, linkClass: .control, expectedRole: .worker,
                options: options
            ).link
            _ = try link.request(kind: .echo, .empty, timeoutMilliseconds: LinkPair.patience)
            // Half of them are closed by this side, the others by the listener.
            if round % 2 == 0 { link.close(.linkClosed(reason: "enough")) }
            links.append(link)
        }
        listener.stop()
        for link in links { #expect(link.waitUntilClosed(timeoutMilliseconds: LinkPair.patience)) }
        // The links are still held: what they held must be gone all the same.
        let port = String(listener.port)
        #expect(Waiting.until { socketCount(port: port) == 0 })
        #expect(Waiting.until { threadCount(named: "link \(port)") == 0 && threadCount(named: "accept \(port)") == 0 })
        #expect(links.count == 100)
    }

    /// Sockets of this process that have to do with a port.
    private func socketCount(port: String) -> Int {
        guard let number = UInt16(port) else { return 0 }
        var count = 0
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            guard let descriptor = Int32(entry) else { continue }
            if ports(of: descriptor).contains(number) { count += 1 }
        }
        return count
    }

    private func ports(of descriptor: Int32) -> [UInt16] {
        var result: [UInt16] = []
        for isPeer in [true, false] {
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let outcome = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    isPeer ? getpeername(descriptor, $0, &length) : getsockname(descriptor, $0, &length)
                }
            }
            if outcome == 0 { result.append(UInt16(bigEndian: address.sin_port)) }
        }
        return result
    }

    private func threadCount(named name: String) -> Int {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return threads.filter {
            (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8))?.hasPrefix(name) == true
        }.count
    }
}
