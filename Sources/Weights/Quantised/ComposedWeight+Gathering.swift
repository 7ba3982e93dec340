import Kernels

/// Takes codes, scales and zeros of some rows out of the stored tensors. Every read is within the tensors' bytes, whose
/// sizes were checked against their shapes; so the buffers' own checks are left out.
extension ComposedWeight {
    /// Fills a panel with rows of the view. `order` says for each column of the panel which one is stored there.
    func gather(_ rows: Range<Int>, _ format: GroupedFormat, _ order: [Int32]?, into panel: GroupedPanel) {
        let stored = rows.lowerBound + firstRow..<rows.upperBound + firstRow
        codePart.withBytes(matrix, of: matrixCount) { bytes in
            switch codes {
            case .awq: gatherAWQ(stored, bytes, into: panel.codes)
            case .compressed(let bits): gatherCompressed(stored, bits: bits, order, bytes, into: panel.codes)
            case .e4m3: gatherBytes(stored, bytes, into: panel.codes)
            case .gptq(let bits): gatherGPTQ(stored, bits: bits, order, bytes, into: panel.codes)
            case .pairs: preconditionFailure("4-bit floats are blocks")
            }
        }
        scalePart.withBytes(matrix, of: matrixCount) { gatherScales(stored, format, $0, into: panel) }
        zeroPart?.withBytes(matrix, of: matrixCount) { gatherZeros(stored, $0, into: panel.zeros) }
    }

    /// Rows of blocks of 4-bit floats: the scale of 32 columns, then 16 bytes, columns 0 to 15 in the low halves.
    func gatherBlocks(_ rows: Range<Int>, into target: UnsafeMutableRawBufferPointer) {
        let groups = columns / 32
        codePart.withBytes(matrix, of: matrixCount) { codes in
            scalePart.withBytes(matrix, of: matrixCount) { scales in
                for (index, row) in rows.enumerated() {
                    for group in 0..<groups {
                        let first = (firstRow + row * rowStep) * groups + group
                        let place = (index * groups + group) * 17
                        target[place] = scales[first]
                        for pair in 0..<8 {
                            let (low, high) = (codes[first * 16 + pair], codes[first * 16 + pair + 8])
                            target[place + 1 + 2 * pair] = low & 15 | high << 4
                            target[place + 2 + 2 * pair] = low >> 4 | high & 0xf0
                        }
                    }
                }
            }
        }
    }

    private func gatherBytes(_ rows: Range<Int>, _ bytes: UnsafeRawBufferPointer, into codes: Codes.Target) {
        // Some columns at a time, so that what is written stays in the first cache.
        for start in stride(from: 0, to: columns, by: 64) {
            for (lane, row) in rows.enumerated() {
                let source = row * columns
                for column in start..<min(start + 64, columns) {
                    codes[column * GroupedPanel.rowCount + lane] = bytes[source + column]
                }
            }
        }
    }

    private func gatherCompressed(
        _ rows: Range<Int>, bits: Int, _ order: [Int32]?, _ bytes: UnsafeRawBufferPointer, into codes: Codes.Target
    ) {
        let (perWord, mask) = (32 / bits, UInt32(1 << bits - 1))
        let wordCount = columns / perWord
        for (lane, row) in rows.enumerated() {
            if let order {
                for (place, column) in order.enumerated() {
                    let word: UInt32 = bytes.element(row * wordCount + Int(column) / perWord)
                    codes[place * GroupedPanel.rowCount + lane] =
                        UInt8(truncatingIfNeeded: word >> UInt32(Int(column) % perWord * bits) & mask)
                }
                continue
            }
            for index in 0..<wordCount {
                let word: UInt32 = bytes.element(row * wordCount + index)
                for part in 0..<perWord {
                    codes[(index * perWord + part) * GroupedPanel.rowCount + lane] =
                        UInt8(truncatingIfNeeded: word >> UInt32(part * bits) & mask)
                }
            }
        }
    }

    private func gatherGPTQ(
        _ rows: Range<Int>, bits: Int, _ order: [Int32]?, _ bytes: UnsafeRawBufferPointer, into codes: Codes.Target
    ) {
        let (perWord, mask) = (32 / bits, UInt32(1 << bits - 1))
        for place in 0..<columns {
            let column = order.map { Int($0[place]) } ?? place
            let shift = UInt32(column % perWord * bits)
            let source = column / perWord * storedRows + rows.lowerBound
            let target = codes + place * GroupedPanel.rowCount
            for lane in 0..<rows.count {
                let word: UInt32 = bytes.element(source + lane)
                target[lane] = UInt8(truncatingIfNeeded: word >> shift & mask)
            }
        }
    }

    private func gatherAWQ(_ rows: Range<Int>, _ bytes: UnsafeRawBufferPointer, into codes: Codes.Target) {
        let wordCount = storedRows / 8
        for column in 0..<columns {
            let target = codes + column * GroupedPanel.rowCount
            for (lane, row) in rows.enumerated() {
                let word: UInt32 = bytes.element(column * wordCount + row / 8)
                target[lane] = UInt8(truncatingIfNeeded: word >> Self.shiftInAWQ[row % 8] & 15)
            }
        }
    }

    /// Where a word of AWQ has each of its eight rows, in bits.
    private static let shiftInAWQ: [UInt32] = [0, 16, 4, 20, 8, 24, 12, 28]

    private func gatherScales(
        _ rows: Range<Int>, _ format: GroupedFormat, _ bytes: UnsafeRawBufferPointer, into panel: GroupedPanel
    ) {
        let groups = groupCount
        for group in 0..<groups {
            for (lane, row) in rows.enumerated() {
                let target = format.isSharedByPanel ? group : group * GroupedPanel.rowCount + lane
                if format.isSharedByPanel, lane > 0 { break }
                let source =
                    switch codes {
                    case .awq, .gptq: group * storedRows + row
                    case .compressed, .e4m3, .pairs: row / scaleRows * groups + group
                    }
                if format.scale == .f32 {
                    panel.scales.storeBytes(
                        of: bytes.float(source, type: scalePart.elementType), toByteOffset: target * 4, as: Float.self)
                } else {
                    panel.scales.storeBytes(
                        of: bytes.element(source, as: UInt16.self), toByteOffset: target * 2, as: UInt16.self)
                }
            }
        }
    }

    private func gatherZeros(
        _ rows: Range<Int>, _ bytes: UnsafeRawBufferPointer, into zeros: UnsafeMutablePointer<UInt8>
    ) {
        for group in 0..<groupCount {
            for (lane, row) in rows.enumerated() {
                zeros[group * GroupedPanel.rowCount + lane] = UInt8(
                    truncatingIfNeeded: zero(row: row, group: group, bytes))
            }
        }
    }

    private func zero(row: Int, group: Int, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        switch codes {
        case .awq:
            let word: UInt32 = bytes.element(group * (storedRows / 8) + row / 8)
            return word >> Self.shiftInAWQ[row % 8] & 15
        case .compressed(let bits):
            let word: UInt32 = bytes.element(row / (32 / bits) * groupCount + group)
            return word >> UInt32(row % (32 / bits) * bits) & UInt32(1 << bits - 1)
        case .gptq(let bits):
            let word: UInt32 = bytes.element(group * (storedRows / (32 / bits)) + row / (32 / bits))
            return word >> UInt32(row % (32 / bits) * bits) & UInt32(1 << bits - 1)
        case .e4m3, .pairs: return 0
        }
    }
}

extension ComposedWeight.Codes {
    fileprivate typealias Target = UnsafeMutablePointer<UInt8>
}
