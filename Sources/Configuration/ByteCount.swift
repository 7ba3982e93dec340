/// Sizes as people write them: `512MiB`, `8GB`, `1.5GiB`, `4096`.
public enum ByteCountText {
    private static let units: [(name: String, size: UInt64)] = [
        ("b", 1), ("k", 1 << 10), ("kib", 1 << 10), ("kb", 1000), ("m", 1 << 20), ("mib", 1 << 20),
        ("mb", 1_000_000), ("g", 1 << 30), ("gib", 1 << 30), ("gb", 1_000_000_000), ("t", 1 << 40), ("tib", 1 << 40),
        ("tb", 1_000_000_000_000),
    ]

    /// The number of bytes that `text` says, nil if it does not say one below 2⁶³. Units ending in `iB`, and single
    /// letters, count by 1024; those ending in `B` by 1000. Case does not matter.
    public static func parse(_ text: String) -> UInt64? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count).drop { $0 == " " }.lowercased()
        guard !number.isEmpty, number.first != ".", number.last != "." else { return nil }
        guard let size = unit.isEmpty ? 1 : units.first(where: { $0.name == unit })?.size else { return nil }
        if let whole = UInt64(number) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: size)
            return overflow || product > UInt64(Int64.max) ? nil : product
        }
        guard let fraction = Double(number), fraction * Double(size) < 0x1p63 else { return nil }
        let bytes = (fraction * Double(size)).rounded()
        return size == 1 && bytes != fraction ? nil : UInt64(bytes)
    }

    /// The size in the largest unit that expresses it without a fraction, for instance `1GiB`.
    public static func format(_ byteCount: UInt64) -> String {
        let exact: [(String, UInt64)] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        guard byteCount > 0, let (unit, size) = exact.first(where: { byteCount % $0.1 == 0 }) else {
            return String(byteCount)
        }
        return "\(byteCount / size)\(unit)"
    }
}
