import Foundation

/// How many compute threads a setting means.
public enum ThreadCount {
    /// The setting itself, or, for 0, the processors that this process may use.
    public static func resolve(_ setting: Int) -> Int {
        setting > 0 ? setting : max(1, ProcessInfo.processInfo.activeProcessorCount)
    }
}
