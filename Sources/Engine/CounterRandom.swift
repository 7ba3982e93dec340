/// Random numbers without state: the draw at a position depends on the seed and the position alone, so that sampling
/// gives the same tokens in any batch, after a preemption, and on any machine.
///
/// Mixes with the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
public struct CounterRandom: Sendable {
    private let key: UInt64

    /// The sequence of draws that belongs to `seed`.
    public init(seed: UInt64) { key = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) }

    /// A number of [0, 1) with 53 random bits.
    public func uniform(at position: Int) -> Double {
        let counter = UInt64(position) &* 0x9E37_79B9_7F4A_7C15
        return Double(Self.mix(key ^ Self.mix(counter &+ key)) >> 11) * 0x1p-53
    }

    private static func mix(_ input: UInt64) -> UInt64 {
        var value = input
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
