import Foundation
import Glibc

/// How much memory this process has and may still have.
public enum ProcessMemory {
    /// Memory of this process that is in RAM, mapped files included, in bytes; 0 if the system does not say.
    public static func residentBytes() -> UInt64 {
        guard let text = text("/proc/self/statm") else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { UInt64($0) } ?? 0
        return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Memory that this process can still take without swapping or being killed, in bytes: what the machine has
    /// available, or less where a control group (container) limits it. Nil if the system does not say.
    public static func availableBytes() -> UInt64? {
        availableBytes(processRoot: "/proc", controlGroupRoot: "/sys/fs/cgroup")
    }

    /// As above, from other directories, for tests.
    package static func availableBytes(processRoot: String, controlGroupRoot: String) -> UInt64? {
        let machine = text(processRoot + "/meminfo").flatMap { value(of: "MemAvailable:", in: $0) }
            .map { $0 << 10 }
        let groups = text(processRoot + "/self/cgroup").map { roomsOfGroups($0, root: controlGroupRoot) } ?? []
        return ([machine].compactMap { $0 } + groups).min()
    }

    /// What each control group above this process leaves; groups without a limit are absent.
    private static func roomsOfGroups(_ memberships: String, root: String) -> [UInt64] {
        var rooms: [UInt64] = []
        for line in memberships.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let path = String(fields[2])
            if fields[0] == "0" {
                rooms += roomsUpwards(from: path) { room(root + $0, "memory.max", "memory.current") }
            } else if fields[1].split(separator: ",").contains("memory") {
                rooms += roomsUpwards(from: path) {
                    room(root + "/memory" + $0, "memory.limit_in_bytes", "memory.usage_in_bytes")
                }
            }
        }
        return rooms
    }

    /// Asks for the group at `path` and all above it: each of them limits. Within a container only the topmost exists.
    private static func roomsUpwards(from path: String, room: (String) -> UInt64?) -> [UInt64] {
        var parts = path.split(separator: "/").filter { $0 != ".." }
        var rooms: [UInt64] = []
        while true {
            if let room = room(parts.map { "/" + $0 }.joined()) { rooms.append(room) }
            if parts.isEmpty { return rooms }
            parts.removeLast()
        }
    }

    /// Limit minus use of one group, where files that the kernel merely caches count as free.
    private static func room(_ directory: String, _ limitFile: String, _ usageFile: String) -> UInt64? {
        guard let limit = number(directory + "/" + limitFile), let usage = number(directory + "/" + usageFile)
        else { return nil }
        let statistics = text(directory + "/memory.stat") ?? ""
        let cached = ["inactive_file", "active_file"].reduce(UInt64(0)) { $0 + (value(of: $1, in: statistics) ?? 0) }
        let used = usage - min(usage, cached)
        return limit - min(limit, used)
    }

    private static func number(_ path: String) -> UInt64? {
        text(path).flatMap { UInt64($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// The number that follows `name` at the start of a line.
    private static func value(of name: String, in text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count >= 2, words[0] == name { return UInt64(words[1]) }
        }
        return nil
    }

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
