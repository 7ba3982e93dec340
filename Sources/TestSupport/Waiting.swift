import Foundation

/// Waiting for what gives no event: the state of the operating system, or of another process.
public enum Waiting {
    /// Looks every 10 ms until `condition` holds, at most for `seconds`.
    /// - Returns: whether it holds.
    public static func until(seconds: Double = 10, _ condition: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if condition() { return true }
            pace(milliseconds: 10)
        }
        return condition()
    }

    /// Lets time pass where the time itself is what is tested: a peer that sends a byte now and then.
    public static func pace(milliseconds: Int) { Thread.sleep(forTimeInterval: Double(milliseconds) / 1000) }
}
