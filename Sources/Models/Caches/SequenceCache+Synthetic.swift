import Kernels

extension SequenceCache {
    /// Fills what the layers keep with small numbers that do not repeat soon, as if `count` positions had been
    /// computed, for measurements of what a step costs in a long context. There is room for the positions.
    /// - Returns: false if keys and values are stored as integers, whose scales are not made up.
    package func fillSynthetically(positionCount count: Int) -> Bool {
        var numbers = SyntheticNumbers()
        for layer in 0..<layerCount {
            let layout = cacheLayout(layer: layer)
            for format in [layout.keyValues?.format, layout.window?.layout.format] where format == .int8 {
                return false
            }
            if let keyValues = layout.keyValues {
                for block in blockPointers(layer: layer) {
                    numbers.fill(block, byteCount: keyValues.blockBytes, format: keyValues.format)
                }
            }
            guard layout.stateBytes > 0 else { continue }
            numbers.fill(
                state(layer: layer), byteCount: layout.ownStateOffset, format: layout.window?.layout.format ?? .f32)
            numbers.fill(
                UnsafeMutableRawPointer(ownState(layer: layer)), byteCount: layout.stateBytes - layout.ownStateOffset,
                format: .f32)
        }
        finish(at: count)
        return true
    }
}

/// Numbers between -1 and 1.
private struct SyntheticNumbers {
    private var word: UInt64 = 0x9e37_79b9_7f4a_7c15

    private mutating func next() -> UInt32 {
        word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt32(truncatingIfNeeded: word >> 33)
    }

    mutating func fill(_ target: UnsafeMutableRawPointer, byteCount: Int, format: KeyValueFormat) {
        for offset in stride(from: 0, to: byteCount - byteCount % 4, by: 4) {
            let bits = next()
            if format == .f32 {
                let number = Float(Int32(bitPattern: bits << 1)) * 0x1p-31
                target.storeBytes(of: number, toByteOffset: offset, as: Float.self)
            } else {
                // Two halves: any sign, an exponent below that of one, any fraction.
                target.storeBytes(of: bits << 1 & 0xb7ff_b7ff, toByteOffset: offset, as: UInt32.self)
            }
        }
    }
}
