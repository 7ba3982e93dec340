import Basics
public import Configuration
public import Kernels

/// How many compute threads a setting means.
public enum ThreadCount {
    /// The setting itself, or, for 0, as many as the processors that this process may really use: those that its
    /// affinity allows, and no more than its container's share of their time.
    public static func resolve(_ setting: Int) -> Int {
        setting > 0 ? setting : resolve(allowed: Processors.allowed().count, quota: ProcessorQuota.ofThisProcess())
    }

    /// At least 1; a part of a processor counts as a whole one.
    package static func resolve(allowed: Int, quota: ProcessorQuota?) -> Int {
        let share = quota.map { min($0.processors.rounded(.up), Double(Limits.Kernels.threadCountMax)) }
        return max(1, min(allowed, share.map { Int($0) } ?? allowed, Limits.Kernels.threadCountMax))
    }
}

extension ThreadPlacement {
    /// The threads that settings ask for, on this machine.
    public init(setting: Int, pinning: PinningChoice) {
        self.init(
            count: ThreadCount.resolve(setting), pinning: ThreadPinning(rawValue: pinning.rawValue) ?? .auto,
            topology: MachineTopology.ofThisMachine())
    }
}
