import Kernels

extension ComposedWeight {
    /// For each column in the order of its group the column of the input; nil where columns are stored in that order.
    ///
    /// Throws `tensorContentInvalid` where groups are not what the format says.
    func columnOrder() throws(WeightsError) -> [Int32]? {
        guard let part = groupPart else { return nil }
        try part.file.populate(part.range(0, of: 1), tensor: part.name)
        let groups = part.withBytes(0, of: 1) { bytes in (0..<columns).map { Int(bytes.element($0, as: Int32.self)) } }
        let width = groupColumns ?? columns
        guard isReordered else {
            if let place = groups.indices.first(where: { groups[$0] != $0 / width }) {
                throw invalid(part, "column \(place) is of group \(groups[place]), without an order \(place / width)")
            }
            return nil
        }
        var columnsOfGroup = [[Int32]](repeating: [], count: groupCount)
        for (column, group) in groups.enumerated() {
            guard columnsOfGroup.indices.contains(group) else {
                throw invalid(part, "column \(column) is of group \(group) of \(groupCount)")
            }
            columnsOfGroup[group].append(Int32(column))
        }
        for (group, found) in columnsOfGroup.enumerated() {
            let expected = min(width, columns - group * width)
            guard found.count == expected else {
                throw invalid(part, "group \(group) has \(found.count) columns instead of \(expected)")
            }
        }
        return columnsOfGroup.flatMap(\.self)
    }

    /// What cannot be seen from shapes: a shape that is told apart, scales of 4-bit floats and 8-bit floats that are no
    /// numbers. The kernels know no such numbers.
    func checkContent(rowCount: Int) throws(WeightsError) {
        if let part = shapePart {
            let told = part.withBytes(0, of: 1) { bytes in
                (0..<2).map { index in
                    part.elementType == "I64"
                        ? Int(bytes.element(index, as: Int64.self))
                        : Int(bytes.element(index, as: Int32.self))
                }
            }
            guard told == [storedRows, columns] else {
                throw invalid(part, "the shape is \(told) instead of \([storedRows, columns])")
            }
        }
        if codes == .e4m3 {
            let found = codePart.file.bytes(range(of: codePart, rowCount: rowCount)).firstNaNOfE4M3
            guard let found else { return }
            let (row, column) = (firstRow + found / columns, found % columns)
            throw invalid(codePart, "row \(row), column \(column) of matrix \(matrix) is not a number")
        }
        guard codes == .pairs else { return }
        let place = scalePart.withBytes(matrix, of: matrixCount) { $0.firstIndex(of: 255) }
        if let place { throw invalid(scalePart, "scale \(place) of matrix \(matrix) is not a number") }
    }

    private func invalid(_ part: WeightPart, _ reason: String) -> WeightsError {
        .tensorContentInvalid(tensor: part.name, file: part.file.path, reason: reason)
    }

    /// Packs `rowCount` rows of the view.
    func packed(
        rowCount: Int, columnOrder: [Int32]?, placement: WeightPlacement
    ) throws(KernelError) -> PackedMatrix {
        switch format {
        case .grouped(let groups):
            return try PackedMatrix(
                rows: rowCount, columns: columns, groups: groups, columnOrder: columnOrder, placement: placement
            ) { rows, panel in gather(rows, groups, columnOrder, into: panel) }
        case .stored(let blocks):
            return try PackedMatrix(rows: rowCount, columns: columns, blocks: blocks, placement: placement) {
                rows, target in gatherBlocks(rows, into: target)
            }
        }
    }

    /// Every weight of `rowCount` rows of the view, in the order of the input's columns.
    func decoded(rowCount: Int, columnOrder: [Int32]?) -> [Float] {
        var weights = [Float](repeating: 0, count: rowCount * columns)
        guard case .grouped(let groups) = format else {
            var bytes = [UInt8](repeating: 0, count: WeightFormat.mxfp4.byteCount(of: rowCount * columns))
            bytes.withUnsafeMutableBytes { gatherBlocks(0..<rowCount, into: $0) }
            return bytes.withUnsafeBytes { WeightFormat.mxfp4.decoded($0) }
        }
        let lanes = GroupedPanel.rowCount
        var codes = [UInt8](repeating: 0, count: (columns + 31) / 32 * 32 * lanes)
        var scales = [UInt32](repeating: 0, count: groupCount * lanes)
        var zeros = [UInt8](repeating: 0, count: groupCount * lanes)
        for first in stride(from: 0, to: rowCount, by: lanes) {
            let rows = first..<min(first + lanes, rowCount)
            codes.withUnsafeMutableBufferPointer { codes in
                scales.withUnsafeMutableBytes { scales in
                    zeros.withUnsafeMutableBufferPointer { zeros in
                        guard let codes = codes.baseAddress, let scales = scales.baseAddress,
                            let zeros = zeros.baseAddress
                        else { return }
                        gather(
                            rows, groups, columnOrder, into: GroupedPanel(codes: codes, scales: scales, zeros: zeros))
                    }
                }
            }
            for row in rows {
                for place in 0..<columns {
                    let group = groups.group(ofColumn: place)
                    let entry = groups.isSharedByPanel ? group : group * lanes + row - first
                    let scale = scales.withUnsafeBytes { $0.float(entry, type: groups.scale.elementType) }
                    let column = columnOrder.map { Int($0[place]) } ?? place
                    weights[row * columns + column] = groups.weight(
                        code: codes[place * lanes + row - first], scale: scale,
                        zero: zeros[group * lanes + row - first])
                }
            }
        }
        return weights
    }
}

extension UnsafeRawBufferPointer {
    /// The first byte that is no number as an 8-bit float, 0x7f or 0xff; nil if all are.
    fileprivate var firstNaNOfE4M3: Int? {
        let wordBytes = MemoryLayout<UInt64>.size
        let (magnitudes, ones) = (0x7f7f_7f7f_7f7f_7f7f as UInt64, 0x0101_0101_0101_0101 as UInt64)
        // Eight words at a time, so that there is one question for all of them: a magnitude of 0x7f and 1 more is the
        // only one that reaches the highest bit.
        var start = 0
        while start + 8 * wordBytes <= count {
            var found: UInt64 = 0
            for word in 0..<8 {
                let codes = loadUnaligned(fromByteOffset: start + word * wordBytes, as: UInt64.self)
                found |= (codes & magnitudes) &+ ones
            }
            if found & ~magnitudes != 0 { break }
            start += 8 * wordBytes
        }
        return self[start...].firstIndex { $0 & 0x7f == 0x7f }
    }
}

extension GroupedFormat.Scale {
    /// The name of the element type in safetensors.
    fileprivate var elementType: String {
        switch self {
        case .bf16: "BF16"
        case .f16: "F16"
        case .f32: "F32"
        }
    }
}
