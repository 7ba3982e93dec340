extension DeterministicMath {
    /// Sine of an angle in radians, for magnitudes up to 2^20 to about 1e-15 absolute; NaN of an infinity.
    public static func sin(_ x: Double) -> Double {
        sine(x, quadrantShift: 0)
    }

    /// Cosine of an angle in radians, for magnitudes up to 2^20 to about 1e-15 absolute; NaN of an infinity.
    public static func cos(_ x: Double) -> Double {
        sine(x, quadrantShift: 1)
    }

    /// Pi / 2 in three parts of 33 bits and a rest, so that a quadrant number below 2^20 times a part is exact.
    private static let halfPi = (0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2e0p-69, 0x1.b839a252049c1p-104)

    private static func sine(_ x: Double, quadrantShift: Int64) -> Double {
        guard x.isFinite else { return .nan }
        let rounder = 0x1.8p52
        let shifted = x * 0x1.45f306dc9c883p-1 + rounder
        let n = shifted - rounder
        let quadrant = Int64(bitPattern: shifted.bitPattern) &+ quadrantShift
        // The first difference is exact; what the second loses is kept as `lost`.
        let first = x - n * halfPi.0
        let product = n * halfPi.1
        let r = first - product
        let lost = (first - r) - product - n * halfPi.2
        let value = quadrant & 1 == 0 ? sinePolynomial(r, lost) : cosinePolynomial(r, lost)
        return quadrant & 2 == 0 ? value : -value
    }

    /// sin(r + low) for |r| up to pi / 4, Taylor's terms.
    private static func sinePolynomial(_ r: Double, _ low: Double) -> Double {
        let z = r * r
        let tail =
            z
            * (-1 / 6.0 + z
                * (1 / 120.0 + z
                    * (-1 / 5040.0 + z
                        * (1 / 362_880.0 + z
                            * (-1 / 39_916_800.0
                                + z
                                * (1 / 6_227_020_800.0 + z
                                    * (-1 / 1_307_674_368_000.0 + z * (1 / 355_687_428_096_000.0))))))))
        return r + (low * (1 - 0.5 * z) + r * tail)
    }

    /// cos(r + low) for |r| up to pi / 4, Taylor's terms.
    private static func cosinePolynomial(_ r: Double, _ low: Double) -> Double {
        let z = r * r
        let tail =
            z * z
            * (1 / 24.0 + z
                * (-1 / 720.0 + z
                    * (1 / 40320.0 + z
                        * (-1 / 3_628_800.0
                            + z * (1 / 479_001_600.0 + z * (-1 / 87_178_291_200.0 + z * (1 / 20_922_789_888_000.0)))))))
        return 1 - (0.5 * z - (tail - r * low))
    }
}
