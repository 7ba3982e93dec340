/// Sizes for people.
public enum ReadableBytes {
    private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]

    /// In powers of 1024 with two digits that matter: `96 KiB`, `4.5 MiB`, `1.1 GiB`.
    public static func text(_ byteCount: UInt64) -> String {
        var size: UInt64 = 1
        var unit = 0
        while unit < units.count - 1, byteCount / size >= 1024 {
            size *= 1024
            unit += 1
        }
        let tenths = size == 1 ? byteCount * 10 : (byteCount / (size / 1024) * 10 + 512) / 1024
        let isWhole = tenths >= 100 || tenths % 10 == 0
        return (isWhole ? "\((tenths + 5) / 10)" : "\(tenths / 10).\(tenths % 10)") + " " + units[unit]
    }
}
