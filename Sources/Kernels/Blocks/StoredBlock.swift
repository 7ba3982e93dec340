/// One stored block of a row, read as its format is published: 32 codes at a time, with the scales and minimums that
/// belong to them. Every weight is `scale * code + minimum`, each operation rounded on its own.
///
/// This is the plain version that the kernels are compared with, and what looks up embeddings.
struct StoredBlock {
    /// Columns of a sub-block.
    static let subColumns = 32

    let format: WeightFormat
    let bytes: UnsafeRawBufferPointer

    /// Scale and minimum of 16 or 32 columns; `minimum` is nil where the format has none.
    struct Scale {
        let scale: Float
        var minimum: Float?
    }

    func byte(_ offset: Int) -> Int { Int(bytes[offset]) }

    func half(_ offset: Int) -> Float {
        Float(Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }

    /// Calls `body` with column (0 to 31 of sub-block `sub`) and code, what codes have too much taken off.
    func codes(_ sub: Int, _ body: (_ column: Int, _ code: Int) -> Void) {
        for column in 0..<Self.subColumns { body(column, code(sub, column)) }
    }

    /// Scale and minimum of half `half` (16 columns) of sub-block `sub`.
    func scale(_ sub: Int, half index: Int) -> Scale {
        switch format {
        case .q80, .q40, .q50, .iq4NL: Scale(scale: half(0))
        case .q41, .q51: Scale(scale: half(0), minimum: half(2))
        case .mxfp4: Scale(scale: Self.powerOfTwo(byte(0)))
        case .q4K, .q5K: sixBitScale(sub)
        case .q2K:
            Scale(
                scale: half(80) * Float(byte(2 * sub + index) & 15),
                minimum: -(half(82) * Float(byte(2 * sub + index) >> 4)))
        case .q3K: Scale(scale: half(108) * Float(q3KScale(2 * sub + index)))
        case .q6K: Scale(scale: half(208) * Float(Int8(truncatingIfNeeded: byte(192 + 2 * sub + index))))
        case .iq4XS: Scale(scale: half(0) * Float(iq4XSScale(sub)))
        case .bf16, .f16, .f32: preconditionFailure("\(format) has no blocks")
        }
    }

    private func code(_ sub: Int, _ column: Int) -> Int {
        switch format {
        case .q80: Int(Int8(truncatingIfNeeded: byte(2 + column)))
        case .q40: nibble(2, column) - 8
        case .q41: nibble(4, column)
        case .q50: (nibble(6, column) | fifthBit(2, column) << 4) - 16
        case .q51: nibble(8, column) | fifthBit(4, column) << 4
        case .iq4NL: Self.iq4Values[nibble(2, column)]
        case .mxfp4: Self.e2m1Values[nibble(1, column)]
        case .q2K: byte(16 + sub / 4 * 32 + column) >> (sub % 4 * 2) & 3
        case .q3K:
            (byte(32 + sub / 4 * 32 + column) >> (sub % 4 * 2) & 3 | (byte(column) >> sub & 1) << 2) - 4
        case .q4K: byte(16 + sub / 2 * 32 + column) >> (sub % 2 * 4) & 15
        case .q5K: byte(48 + sub / 2 * 32 + column) >> (sub % 2 * 4) & 15 | (byte(16 + column) >> sub & 1) << 4
        case .q6K:
            (byte(sub / 4 * 64 + sub % 2 * 32 + column) >> (sub % 4 / 2 * 4) & 15
                | (byte(128 + sub / 4 * 32 + column) >> (sub % 4 * 2) & 3) << 4) - 32
        case .iq4XS: Self.iq4Values[nibble(8 + sub * 16, column)]
        case .bf16, .f16, .f32: preconditionFailure("\(format) has no blocks")
        }
    }

    /// 32 codes in 16 bytes: the first 16 in the low halves.
    private func nibble(_ offset: Int, _ column: Int) -> Int { byte(offset + column % 16) >> (column / 16 * 4) & 15 }

    private func fifthBit(_ offset: Int, _ column: Int) -> Int { byte(offset + column / 8) >> (column % 8) & 1 }

    /// Q4_K and Q5_K: twelve bytes at 4 hold eight scales and eight minimums of six bits.
    private func sixBitScale(_ sub: Int) -> Scale {
        let place = 4 + sub % 4
        let (low, high, both) = (byte(place), byte(place + 4), byte(place + 8))
        let scale = sub < 4 ? low & 63 : (both & 15) | (low >> 6) << 4
        let minimum = sub < 4 ? high & 63 : (both >> 4) | (high >> 6) << 4
        return Scale(scale: half(0) * Float(scale), minimum: -(half(2) * Float(minimum)))
    }

    /// Q3_K: sixteen scales, low four bits in eight bytes at 96, high two bits in four at 104.
    private func q3KScale(_ index: Int) -> Int {
        let low = byte(96 + index % 8) >> (index / 8 * 4) & 15
        let high = byte(104 + index % 4) >> (index / 4 * 2) & 3
        return (low | high << 4) - 32
    }

    private func iq4XSScale(_ sub: Int) -> Int {
        let low = byte(4 + sub / 2) >> (sub % 2 * 4) & 15
        let high = (byte(2) | byte(3) << 8) >> (sub * 2) & 3
        return (low | high << 4) - 32
    }

    /// 2 to the power e - 128; the two smallest are subnormal.
    private static func powerOfTwo(_ exponent: Int) -> Float {
        Float(bitPattern: exponent < 2 ? 0x0020_0000 << UInt32(exponent) : UInt32(exponent - 1) << 23)
    }

    /// The values of IQ4_NL and IQ4_XS.
    private static let iq4Values = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
    /// Twice the values of e2m1 (OCP Microscaling Formats 1.0, table 5); the scale is halved in turn.
    private static let e2m1Values = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
}

extension WeightFormat {
    /// Decodes stored weights from any alignment, exactly: whole blocks of this format, which is not plain.
    func decodeBlocks(_ source: UnsafeRawBufferPointer, into output: UnsafeMutablePointer<Float>) {
        for number in 0..<source.count / bytesPerBlock {
            let slice = source[number * bytesPerBlock..<(number + 1) * bytesPerBlock]
            let block = StoredBlock(format: self, bytes: UnsafeRawBufferPointer(rebasing: slice))
            for sub in 0..<columnsPerBlock / StoredBlock.subColumns {
                let start = number * columnsPerBlock + sub * StoredBlock.subColumns
                let scales = [block.scale(sub, half: 0), block.scale(sub, half: 1)]
                block.codes(sub) { column, code in
                    let scale = scales[column / 16]
                    let weight = scale.scale * Float(code)
                    output[start + column] = scale.minimum.map { weight + $0 } ?? weight
                }
            }
        }
    }

    /// All weights of `source`, at any alignment, as f32: exact for every format.
    public func decoded(_ source: UnsafeRawBufferPointer) -> [Float] {
        let count = source.count / bytesPerBlock * columnsPerBlock
        return [Float](unsafeUninitializedCapacity: count) { values, filled in
            filled = count
            guard let base = values.baseAddress else { return }
            if !isPlain { return decodeBlocks(source, into: base) }
            for index in 0..<count { base[index] = decodePlain(source, at: index * bytesPerBlock) }
        }
    }

    private func decodePlain(_ source: UnsafeRawBufferPointer, at offset: Int) -> Float {
        if self == .f32 {
            return Float(bitPattern: source.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        let bits = source.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
        return self == .bf16 ? Float(bitPattern: UInt32(bits) << 16) : Float(Float16(bitPattern: bits))
    }
}
