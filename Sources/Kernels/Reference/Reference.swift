/// Every kernel once more as plain scalar Swift: one statement per IEEE operation, in the canonical order. Slow, and
/// what all other versions are compared with, bit for bit.
public enum Reference {
    /// How many partial sums a reduction has.
    static let lanes = 16

    /// Joins 16 partial sums: lanes (i, i + 8), then (i, i + 4), (i, i + 2), (i, i + 1).
    static func treeSum(_ partial: [Float]) -> Float {
        var values = partial
        for distance in [8, 4, 2, 1] {
            for lane in 0..<distance { values[lane] += values[lane + distance] }
        }
        return values[0]
    }

    /// Sum of `values`: lane l takes the indices k with k % 16 == l in order, then the tree.
    static func laneSum(_ values: [Float]) -> Float {
        var partial = [Float](repeating: 0, count: lanes)
        for (index, value) in values.enumerated() { partial[index % lanes] += value }
        return treeSum(partial)
    }

    /// The largest number; -inf if there is none.
    static func greatest(_ values: [Float]) -> Float {
        values.reduce(-.infinity) { $1 > $0 ? $1 : $0 }
    }

    /// e to the power x, at most 1 ulp off, results below the smallest normal number flushed to zero.
    public static func exp(_ x: Float) -> Float {
        let lowest: Float = -0x1.5d589ep6
        let rounder: Float = 0x1.8p23
        var clamped = x < lowest ? lowest : x
        clamped = clamped > 89 ? 89 : clamped
        let rounded = rounder.addingProduct(clamped, 0x1.715476p+0)
        let n = rounded - rounder
        var r = clamped.addingProduct(n, -0x1.62e430p-1)
        r = r.addingProduct(n, 0x1.05c610p-29)
        var p: Float = 0x1.6d10fcp-10
        for coefficient: Float in [0x1.120b62p-7, 0x1.55551ap-5, 0x1.5554dep-3, 0.5, 1, 1] {
            p = coefficient.addingProduct(p, r)
        }
        let exponent = Int32(bitPattern: rounded.bitPattern &- rounder.bitPattern)
        let half = exponent >> 1
        let result = (p * powerOfTwo(half)) * powerOfTwo(exponent &- half)
        return x < lowest ? 0 : result
    }

    private static func powerOfTwo(_ exponent: Int32) -> Float {
        Float(bitPattern: UInt32(bitPattern: exponent &+ 127) << 23)
    }
}
