/// Elementary functions in double precision whose bits are the same on every machine: only + - * /, fused
/// multiply-add, comparisons and bit patterns, never the system's library. Errors are a few units in the last place.
public enum DeterministicMath {
    /// ln 2 in two parts; the first has trailing zeros, so that an exponent times it is exact.
    /// Coefficients of the series of artanh beyond its first term, highest power first.
    private static let logarithmTail = stride(from: 23.0, through: 3.0, by: -2.0).map { 1 / $0 }
    private static let ln2High = 0x1.62e42fefa38p-1
    private static let ln2Low = 0x1.ef35793c7673p-45
    /// Adding and taking away this rounds to an integer.
    private static let rounder = 0x1.8p52

    /// e to the power x; +inf above 709.78, 0 below -745.2.
    public static func exp(_ x: Double) -> Double {
        exp(x, plus: 0)
    }

    /// exp(x + small), where `small` is far below x: what `pow` needs to keep its precision.
    private static func exp(_ x: Double, plus small: Double) -> Double {
        if x.isNaN { return x }
        if x > 709.79 { return .infinity }
        if x < -745.2 { return 0 }
        let shifted = x * 0x1.71547652b82fep0 + rounder
        let n = shifted - rounder
        let r = (x - n * ln2High) - n * ln2Low + small
        let r2 = r * r
        // Taylor's terms to r^13 / 13!, in two interleaved halves so that they need not wait for each other.
        let even =
            1 / 2.0 + r2
            * (1 / 24.0 + r2
                * (1 / 720.0 + r2
                    * (1 / 40320.0 + r2
                        * (1 / 3_628_800.0
                            + r2 * (1 / 479_001_600.0)))))
        let odd =
            1 / 6.0 + r2
            * (1 / 120.0 + r2
                * (1 / 5040.0 + r2
                    * (1 / 362_880.0 + r2
                        * (1 / 39_916_800.0
                            + r2 * (1 / 6_227_020_800.0)))))
        let power = 1 + (r + (r2 * even + r2 * r * odd))
        let exponent = Int64(bitPattern: shifted.bitPattern) &- Int64(bitPattern: rounder.bitPattern)
        let half = exponent >> 1
        return (power * powerOfTwo(half)) * powerOfTwo(exponent - half)
    }

    /// Natural logarithm; -inf of 0, NaN below.
    public static func log(_ x: Double) -> Double {
        let (high, low) = logarithm(x)
        return high + low
    }

    /// x to the power y for x > 0; 1 for y = 0; x = 0 gives 0 or +inf, x < 0 NaN.
    public static func pow(_ x: Double, _ y: Double) -> Double {
        if y == 0 || x == 1 { return 1 }
        let (high, low) = logarithm(x)
        let product = y * high
        guard product.isFinite, product.magnitude < 800 else { return exp(product) }
        let error = (-product).addingProduct(y, high)
        return exp(product, plus: error + y * low)
    }

    private static func powerOfTwo(_ exponent: Int64) -> Double {
        Double(bitPattern: UInt64(bitPattern: exponent + 1023) << 52)
    }

    /// ln x as the sum of two numbers, the second far below the first.
    ///
    /// x = m * 2^e with m in [sqrt(1/2), sqrt(2)); s = (m - 1) / (m + 1), itself in two parts;
    /// ln m = 2 s + 2 s^3 / 3 + 2 s^5 / 5 + ...
    private static func logarithm(_ x: Double) -> (Double, Double) {
        if x.isNaN || x < 0 { return (.nan, 0) }
        if x == 0 { return (-.infinity, 0) }
        if x == .infinity { return (.infinity, 0) }
        let isSmall = x < Double.leastNormalMagnitude
        let bits = (isSmall ? x * 0x1p54 : x).bitPattern
        var exponent = Double(Int64(bits >> 52) - 1023 - (isSmall ? 54 : 0))
        var m = Double(bitPattern: bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000)
        if m > 0x1.6a09e667f3bcdp0 {
            m *= 0.5
            exponent += 1
        }
        let f = m - 1
        let below = 2 + f
        let belowError = f - (below - 2)
        let s = f / below
        let sLow = (f.addingProduct(-s, below) - s * belowError) / below
        let z = s * s
        let tail = z * logarithmTail.reduce(0) { sum, coefficient in coefficient + z * sum }
        let first = exponent * ln2High
        let second = 2 * s
        let high = first + second
        let lost = exponent == 0 ? 0 : second - (high - first)
        return (high, lost + (2 * (s * tail + sLow) + exponent * ln2Low))
    }
}
