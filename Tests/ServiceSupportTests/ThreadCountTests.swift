import Kernels
import ServiceSupport
import TestSupport
import Testing

/// What a container may use of the processors.
@Suite struct ThreadCountTests {
    private let root: TemporaryDirectory

    init() throws { root = try TemporaryDirectory() }

    private func quota(_ membership: String, _ files: [String: String]) throws -> Double? {
        for (name, text) in files { try root.write("mount/" + name, text: text) }
        return ProcessorQuota.read(
            membership: try root.write("cgroup", text: membership), mount: root.path + "/mount")?.processors
    }

    @Test func versionTwoInsideAContainer() throws {
        #expect(try quota("0::/\n", ["cpu.max": "150000 100000\n"]) == 1.5)
        #expect(try quota("0::/\n", ["cpu.max": "max 100000\n"]) == nil)
    }

    @Test func theTightestGroupCounts() throws {
        let files = ["a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000", "a/b/c/cpu.max": "600000 100000"]
        #expect(try quota("0::/a/b/c\n", files) == 4)
    }

    @Test func versionOne() throws {
        let membership = "12:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/\n"
        let files = ["cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"]
        #expect(try quota(membership, files) == 2.5, "the container's own group is the root of what it sees")
        let tighter = [
            "cpu,cpuacct/docker/x/cpu.cfs_quota_us": "50000", "cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000",
        ]
        #expect(try quota(membership, tighter) == 0.5)
        #expect(try quota(membership, ["cpu,cpuacct/docker/x/cpu.cfs_quota_us": "-1"]) == 2.5)
    }

    @Test(arguments: ["", "nonsense\n", "0::\n", "4:memory:/x\n", "0::/../../x\n"])
    func nothingIsNoLimit(membership: String) throws { #expect(try quota(membership, [:]) == nil) }

    @Test func damagedFilesAreNoLimit() throws {
        for text in ["", "x y", "100000", "0 0", "-5 100000", "nan nan"] {
            #expect(try quota("0::/\n", ["cpu.max": text]) == nil, "\(text)")
        }
        #expect(ProcessorQuota.read(membership: "/nowhere/at/all", mount: "/nowhere") == nil)
    }

    @Test func partsOfProcessorsRoundUp() {
        #expect(ThreadCount.resolve(allowed: 8, quota: nil) == 8)
        #expect(ThreadCount.resolve(allowed: 8, quota: ProcessorQuota(processors: 1.5)) == 2)
        #expect(ThreadCount.resolve(allowed: 8, quota: ProcessorQuota(processors: 0.1)) == 1)
        #expect(ThreadCount.resolve(allowed: 2, quota: ProcessorQuota(processors: 1e300)) == 2)
        #expect(ThreadCount.resolve(7) == 7)
        #expect((1...max(1, Processors.allowed().count)).contains(ThreadCount.resolve(0)))
    }
}
