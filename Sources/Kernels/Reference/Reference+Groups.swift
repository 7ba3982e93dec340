extension Reference {
    /// Codes in groups as they are published, row by row: what kernels of a `GroupedFormat` are compared with.
    public struct GroupedWeights: Sendable {
        /// How they are stored.
        public let format: GroupedFormat
        /// Columns of a row.
        public let columns: Int
        /// [rows][columns], in stored order.
        public let codes: [UInt8]
        /// [rows][groups].
        public let scales: [Float]
        /// [rows][groups], as stored; zeros where the format has none.
        public let zeros: [UInt8]
        /// For each stored column the column of the input.
        public let columnOrder: [Int32]?

        /// Joins what belongs together.
        public init(
            format: GroupedFormat, columns: Int, codes: [UInt8], scales: [Float], zeros: [UInt8],
            columnOrder: [Int32]? = nil
        ) {
            precondition(codes.count % columns == 0, "whole rows")
            let groups = codes.count / columns * format.groupCount(columns: columns)
            precondition(scales.count == groups && zeros.count == groups, "a scale and a zero for each group")
            self.format = format
            self.columns = columns
            self.codes = codes
            self.scales = scales
            self.zeros = zeros
            self.columnOrder = columnOrder
        }

        /// Rows.
        public var rows: Int { codes.count / columns }

        /// Every weight, [rows][columns] in stored order.
        public var decoded: [Float] {
            codes.indices.map { index in
                let group = group(row: index / columns, column: index % columns)
                return format.weight(code: codes[index], scale: scales[group], zero: zeros[group])
            }
        }

        fileprivate func group(row: Int, column: Int) -> Int {
            row * format.groupCount(columns: columns) + format.group(ofColumn: column)
        }
    }

    /// Rows of codes times `input` [columns], plus bias, times scale: with 8-bit activations where the format takes
    /// them, else with f32, in the order in which columns are stored. `linear_blocks.h` has the order of operations.
    public static func linear(
        _ weights: GroupedWeights, activations: ActivationFormat, input: [Float], bias: [Float]? = nil,
        scale: Float? = nil
    ) -> [Float] {
        if weights.format.code == .e4m3 { return linear(floats: weights, input: input, bias: bias, scale: scale) }
        guard activations == .int8, weights.format.takesIntegers else {
            let ordered = weights.columnOrder.map { $0.map { input[Int($0)] } } ?? input
            return linear(
                weights: weights.decoded, columns: weights.columns, input: ordered, bias: bias, scale: scale)
        }
        let blocks = quantise(input)
        return (0..<weights.rows).map { row in
            var sum: Float = 0
            for (index, x) in blocks.enumerated() {
                let first = index * StoredBlock.subColumns
                let group = weights.group(row: row, column: first)
                let product = x.codes.indices.reduce(0) { sum, offset in
                    let code = weights.codes[row * weights.columns + first + offset]
                    return sum + weights.format.integer(code: code, zero: weights.zeros[group]) * x.codes[offset]
                }
                sum.addProduct(Float(product), weights.scales[group] * x.scale)
            }
            if let bias { sum += bias[row] }
            if let scale { sum *= scale }
            return sum
        }
    }
}

extension Reference {
    /// The same for codes of e4m3: `linear_e4m3.h` has the order of operations.
    private static func linear(
        floats weights: GroupedWeights, input: [Float], bias: [Float]?, scale: Float?
    ) -> [Float] {
        let span = weights.format.groupColumns ?? weights.columns
        return (0..<weights.rows).map { row in
            var sum: Float = 0
            for first in stride(from: 0, to: weights.columns, by: span) {
                var group: Float = 0
                for column in first..<min(first + span, weights.columns) {
                    let code = weights.codes[row * weights.columns + column]
                    group.addProduct(GroupedFormat.valueOfE4M3(code) / 256, input[column])
                }
                sum.addProduct(group, weights.scales[weights.group(row: row, column: first)] * 256)
            }
            if let bias { sum += bias[row] }
            if let scale { sum *= scale }
            return sum
        }
    }
}

extension GroupedFormat {
    /// An integer code without its zero.
    fileprivate func integer(code bits: UInt8, zero: UInt8) -> Int { Int(weight(code: bits, scale: 1, zero: zero)) }
}
