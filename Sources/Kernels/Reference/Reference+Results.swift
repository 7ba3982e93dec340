extension Reference {
    /// A row as it is after an expert gave it in the form of `format`.
    public static func result(_ row: [Float], format: ResultFormat) -> [Float] {
        switch format {
        case .f32: row
        case .bf16: row.map(roundedToBrainFloat)
        case .int8:
            Array(quantise(row).flatMap { block in block.codes.map { block.scale * Float($0) } }.prefix(row.count))
        }
    }

    /// To the nearest of 8 significant bits, ties to even. What lies half-way beyond the greatest is infinite; a NaN
    /// keeps its upper bits and is quiet.
    private static func roundedToBrainFloat(_ x: Float) -> Float {
        if x.isNaN { return Float(bitPattern: (x.bitPattern | 0x40_0000) & 0xffff_0000) }
        let lower = Float(bitPattern: x.bitPattern & 0xffff_0000)
        let rest = x.bitPattern & 0xffff
        let isUp = rest > 0x8000 || rest == 0x8000 && x.bitPattern & 0x1_0000 != 0
        return isUp ? Float(bitPattern: lower.bitPattern + 0x1_0000) : lower
    }
}
