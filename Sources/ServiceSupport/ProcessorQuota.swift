import Basics
import Foundation

/// The processor time that a control group grants, which containers use: more threads than that only wait for each
/// other, because the kernel stops all of them until the next period once it is used up.
package struct ProcessorQuota: Hashable, Sendable {
    /// Processors' worth of time, for instance 1.5.
    package let processors: Double

    /// So many processors.
    package init(processors: Double) { self.processors = processors }

    /// The tightest limit on this process; nil if there is none.
    package static func ofThisProcess() -> ProcessorQuota? {
        read(membership: "/proc/self/cgroup", mount: "/sys/fs/cgroup")
    }

    /// The tightest limit on the groups that the file `membership` names, and on those around them, in the hierarchies
    /// below `mount`: version 2 (`cpu.max`) or version 1 (`cpu.cfs_quota_us`). In a container the names may be those
    /// of the host, of which only the innermost group is to be seen, at the root.
    package static func read(membership: String, mount: String) -> ProcessorQuota? {
        let groups = text(membership).split(separator: "\n").compactMap { ControlGroup(line: $0) }
        return groups.flatMap { group in
            let root = group.hierarchies.map { mount + $0 }.first(where: isDirectory) ?? mount
            return group.pathAndParents.compactMap { group.quota(in: root + $0) }
        }.min { $0.processors < $1.processors }
    }

    /// `quota` of `period`, both in microseconds, as text; nil for none and for what is no number.
    fileprivate init?(quota: Substring?, period: Substring?) {
        guard let quota = quota.flatMap({ Double($0) }), let period = period.flatMap({ Double($0) }), quota > 0,
            period > 0
        else { return nil }
        processors = quota / period
    }
}

/// A line of `/proc/self/cgroup`: `hierarchy:controllers:path`.
private struct ControlGroup {
    let path: Substring
    /// Controllers of a hierarchy of version 1; empty for version 2.
    let controllers: [Substring]
    private let controllerText: Substring

    /// Nil if the line is none, or says nothing of processor time.
    init?(line: Substring) {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { return nil }
        controllerText = fields[1]
        controllers = fields[1].split(separator: ",")
        path = fields[2]
        if !controllers.isEmpty, !controllers.contains("cpu") { return nil }
    }

    /// Where its hierarchy may be, below the mount.
    var hierarchies: [String] {
        // Beside hierarchies of version 1, that of version 2 is one level down.
        controllers.isEmpty ? ["/unified"] : ["/\(controllerText)", "/cpu"]
    }

    /// The group itself, then the groups that it is in, down to the root.
    var pathAndParents: [String] {
        let parts = path.split(separator: "/").prefix(Limits.Kernels.controlGroupDepthMax)
        return (0...parts.count).reversed().map { count in parts.prefix(count).map { "/" + $0 }.joined() }
    }

    func quota(in directory: String) -> ProcessorQuota? {
        if controllers.isEmpty {
            let fields = text(directory + "/cpu.max").split(whereSeparator: \.isWhitespace)
            return ProcessorQuota(quota: fields.first, period: fields.dropFirst().first)
        }
        let quota = text(directory + "/cpu.cfs_quota_us").split(whereSeparator: \.isWhitespace)
        let period = text(directory + "/cpu.cfs_period_us").split(whereSeparator: \.isWhitespace)
        return ProcessorQuota(quota: quota.first, period: period.first)
    }
}

private func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
}

/// What the kernel says in a small file; nothing if it is not there.
private func text(_ path: String) -> String {
    guard let file = FileHandle(forReadingAtPath: path) else { return "" }
    defer { try? file.close() }
    let bytes = (try? file.read(upToCount: Limits.Kernels.systemFileBytesMax)) ?? Data()
    return String(bytes: bytes, encoding: .utf8) ?? ""
}
