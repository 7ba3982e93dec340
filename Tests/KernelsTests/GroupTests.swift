import Kernels
import Testing

/// Codes in groups, each kind on each instruction set against the plain Swift version.
@Suite struct GroupTests {
    static let formats: [GroupedFormat] =
        [nil, 32, 64, 128].flatMap { group -> [GroupedFormat] in
            let integers = [GroupedFormat.Code.int4, .int8].flatMap { code in
                GroupedFormat.Zeros.allCases.map { zeros in
                    GroupedFormat(
                        code: code, groupColumns: group, scale: zeros == .center ? .bf16 : .f16, zeros: zeros)
                }
            }
            return integers + [
                GroupedFormat(code: .int4, groupColumns: group, scale: .f32),
                GroupedFormat(code: .int4, groupColumns: group, scale: .f16, zeros: .stored, isReordered: true),
                GroupedFormat(code: .int8, groupColumns: group, scale: .f32, isReordered: true),
                GroupedFormat(code: .e4m3, groupColumns: group, scale: .f32),
                GroupedFormat(code: .e4m3, groupColumns: group, scale: .f32, isSharedByPanel: true),
                GroupedFormat(code: .e4m3, groupColumns: group, scale: .bf16),
            ]
        }
    static let shapes = [
        LinearTests.Shape(rows: 1, columns: 32, tokens: 1), LinearTests.Shape(rows: 5, columns: 96, tokens: 3),
        LinearTests.Shape(rows: 70, columns: 288, tokens: 21), LinearTests.Shape(rows: 130, columns: 576, tokens: 8),
    ]

    @Test(arguments: shapes, formats)
    func equalsTheReference(shape: LinearTests.Shape, format: GroupedFormat) throws {
        let weights = TestGroups(rows: shape.rows, columns: shape.columns, format: format, seed: shape.rows)
        var numbers = TestNumbers(seed: 7)
        let input = numbers.floats(shape.tokens * shape.columns)
        try compare(weights, input: input, bias: nil)
        try compare(weights, input: input, bias: numbers.floats(shape.rows))
    }

    /// Scales that are zero, subnormal, negative, huge, infinite or no numbers.
    @Test(arguments: formats) func takesAnyBits(format: GroupedFormat) throws {
        let weights = TestGroups(rows: 40, columns: 160, format: format, seed: 9, takesAnyBits: true)
        var numbers = TestNumbers(seed: 10)
        try compare(weights, input: numbers.floats(3 * 160), bias: nil)
    }

    /// Floats need not fill whole blocks of columns.
    @Test(arguments: [1, 31, 33, 127, 129, 200]) func floatsTakeAnyColumns(columns: Int) throws {
        for isShared in [true, false] {
            let format = GroupedFormat(code: .e4m3, groupColumns: 128, scale: .f32, isSharedByPanel: isShared)
            let weights = TestGroups(rows: 37, columns: columns, format: format, seed: columns)
            var numbers = TestNumbers(seed: 12)
            try compare(weights, input: numbers.floats(5 * columns), bias: nil)
        }
    }

    @Test(arguments: formats) func everyTileGivesTheBitsOfOneToken(format: GroupedFormat) throws {
        // More columns than are taken apart at a time, and not a multiple of that.
        let matrix = try TestGroups(rows: 90, columns: 768, format: format, seed: 4).packed()
        var numbers = TestNumbers(seed: 11)
        let most = 79
        let input = Rows.of(numbers.floats(most * 768), width: 768)
        for compute in try everyCompute(threadCounts: [3]) {
            let alone = Rows(capacity: most, width: 90)
            for token in 0..<most {
                compute.linear(matrix, input: input.view(token..<token + 1), output: alone.view(token..<token + 1))
            }
            for tokens in Array(1...15) + [64, 65, 76, 79] {
                let together = Rows(capacity: tokens, width: 90)
                compute.linear(matrix, input: input.view(0..<tokens), output: together.view)
                #expect(bits(together.values) == bits(alone.values.prefix(tokens * 90)), compute.label)
            }
        }
    }

    /// Three projections of three kinds: one that takes 8-bit activations, one of floats, one with its own order.
    @Test(arguments: ActivationFormat.allCases) func expertsEqualTheReference(activations: ActivationFormat) throws {
        let (hidden, width) = (96, 64)
        let gate = TestGroups(
            rows: width, columns: hidden, format: GroupedFormat(code: .int4, groupColumns: 32, scale: .f16), seed: 1)
        let up = TestGroups(
            rows: width, columns: hidden,
            format: GroupedFormat(code: .e4m3, groupColumns: 128, scale: .f32, isSharedByPanel: true), seed: 2)
        let down = TestGroups(
            rows: hidden, columns: width,
            format: GroupedFormat(code: .int8, groupColumns: 32, scale: .f16, zeros: .stored, isReordered: true),
            seed: 3)
        let weights = ExpertWeights(gate: try gate.packed(), up: try up.packed(), down: try down.packed())
        var numbers = TestNumbers(seed: 5)
        let input = Rows.of(numbers.floats(3 * hidden, scale: 0.1), width: hidden)
        let batch = ExpertBatch(weights: weights, inputRows: [2, 0], outputRows: [0, 1], scales: [0.25, 1.5])
        let expected = zip(batch.inputRows, batch.scales).flatMap { row, scale -> [Float] in
            let x = input.values(row: row)
            let gated = Reference.linear(gate.reference, activations: activations, input: x)
            let raised = Reference.linear(up.reference, activations: activations, input: x)
            let hidden = zip(gated, raised).map { Reference.activate($0, $1, .silu) }
            return Reference.linear(down.reference, activations: activations, input: hidden, scale: scale)
        }
        for compute in try everyCompute(activations: activations) {
            let output = Rows(capacity: 2, width: hidden)
            var scratch = ExpertScratch()
            compute.gatedExperts(ExpertAssignments([batch]), input: input.view, output: output.view, scratch: &scratch)
            #expect(bits(output.values) == bits(expected), compute.label)
        }
    }

    /// What a code of 8 bits is, by the table of the specification: every one of them.
    @Test func floatsAreThoseOfTheSpecification() throws {
        for bits in 0..<256 {
            let value = GroupedFormat.valueOfE4M3(UInt8(bits))
            let (exponent, fraction) = (bits >> 3 & 15, Double(bits & 7))
            var expected = exponent == 0 ? fraction / 512 : (1 + fraction / 8)
            for _ in 0..<max(0, exponent - 7) { expected *= 2 }
            for _ in 0..<max(0, exponent == 0 ? 0 : 7 - exponent) { expected /= 2 }
            if bits & 0x7f == 0x7f {
                #expect(value.isNaN)
            } else {
                #expect(Double(value) == (bits < 128 ? expected : -expected))
            }
        }
        #expect(GroupedFormat.valueOfE4M3(0x7e) == 448 && GroupedFormat.valueOfE4M3(0x81) == -0x1p-9)
    }

    /// Published sizes: 4 and 8 bits with a scale, a zero of 4 or 8 bits for GPTQ, for the shapes of served models.
    @Test func memoryIsThatOfTheFile() {
        func growth(_ format: GroupedFormat, bytesPerGroup: Double, rows: Int, columns: Int) -> Double {
            let groups = rows * format.groupCount(columns: columns)
            let published = Double(rows * columns * format.code.bits / 8) + bytesPerGroup * Double(groups)
            let packed = PackedMatrix.byteCount(rows: rows, columns: columns, format: .grouped(format))
            return Double(packed) / published
        }
        for (rows, columns) in [(768, 2048), (2048, 768), (2048, 7168), (7168, 2048), (1536, 4096)] {
            let zeros = GroupedFormat.Zeros.storedMinusOne
            let e4m3 = GroupedFormat(code: .e4m3, groupColumns: 128, scale: .f32, isSharedByPanel: true)
            #expect(growth(e4m3, bytesPerGroup: 4.0 / 128, rows: rows, columns: columns) <= 1.03)
            for group in [32, 64, 128] {
                let compressed = GroupedFormat(code: .int4, groupColumns: group, scale: .bf16)
                #expect(growth(compressed, bytesPerGroup: 2, rows: rows, columns: columns) <= 1.03)
                let four = GroupedFormat(code: .int4, groupColumns: group, scale: .f16, zeros: zeros)
                #expect(growth(four, bytesPerGroup: 2.5, rows: rows, columns: columns) <= 1.03)
                let eight = GroupedFormat(code: .int8, groupColumns: group, scale: .f16, zeros: zeros)
                #expect(growth(eight, bytesPerGroup: 3, rows: rows, columns: columns) <= 1.03)
            }
        }
    }

    @Test(arguments: formats) func aFormatIsOneNumber(format: GroupedFormat) {
        let whole = MatrixFormat.grouped(format)
        #expect(MatrixFormat(number: whole.number) == whole)
    }

    @Test func refusesPartialBlocks() {
        let format = GroupedFormat(code: .int4, groupColumns: 32, scale: .f16)
        #expect(throws: KernelError.matrixBlocksPartial(columns: 40, format: .grouped(format))) {
            try PackedMatrix(rows: 1, columns: 40, groups: format) { _, _ in }
        }
    }

    private func compare(_ weights: TestGroups, input: [Float], bias: [Float]?) throws {
        let matrix = try weights.packed()
        let width = weights.reference.columns
        let rows = Rows.of(input, width: width)
        for activations in ActivationFormat.allCases {
            let expected = (0..<input.count / width).flatMap { token in
                Reference.linear(
                    weights.reference, activations: activations, input: row(token, of: input, width: width), bias: bias)
            }
            for compute in try everyCompute(activations: activations) {
                let output = Rows(capacity: input.count / width, width: weights.reference.rows)
                compute.linear(matrix, input: rows.view, output: output.view, bias: bias)
                #expect(bits(output.values) == bits(expected), compute.label)
            }
        }
    }
}

/// Codes in groups with what they mean.
struct TestGroups {
    let reference: Reference.GroupedWeights

    /// Random codes, and scales of magnitude around 1; with `takesAnyBits` scales of any bits. No code is a NaN.
    init(rows: Int, columns: Int, format: GroupedFormat, seed: Int, takesAnyBits: Bool = false) {
        var numbers = TestNumbers(seed: seed)
        let most: UInt64 = format.code == .int4 ? 16 : 256
        let codes = (0..<rows * columns).map { _ -> UInt8 in
            let code = UInt8(numbers.next() % most)
            return format.code == .e4m3 && code & 0x7f == 0x7f ? 0 : code
        }
        let groups = format.groupCount(columns: columns)
        var scales = (0..<rows * groups).map { _ in
            Self.stored(numbers.float(), format, takesAnyBits ? numbers.next() : 0)
        }
        if format.isSharedByPanel {
            for index in scales.indices { scales[index] = scales[index / groups / 16 * 16 * groups + index % groups] }
        }
        let zeros = scales.map { _ in format.zeros == .center ? 0 : UInt8(numbers.next() % most) }
        var order = (0..<columns).map(Int32.init)
        for place in order.indices { order.swapAt(place, Int(numbers.next() % UInt64(columns))) }
        reference = Reference.GroupedWeights(
            format: format, columns: columns, codes: codes, scales: scales, zeros: zeros,
            columnOrder: format.isReordered ? order : nil)
    }

    /// The value as the format stores it; some of it any bits where `random` says so.
    private static func stored(_ value: Float, _ format: GroupedFormat, _ random: UInt64) -> Float {
        let special: [UInt32] = [0, 0x8000_0000, 1, 0x807f_ffff, 0xff7f_ffff, 0x7f80_0000, 0x7fc0_0000]
        let any =
            random % 3 == 0
            ? UInt32(truncatingIfNeeded: random >> 16) : special[Int(random >> 8 & 0xff) % special.count]
        switch format.scale {
        case .f32: return random % 2 == 0 ? value : Float(bitPattern: any)
        case .bf16: return Float(bitPattern: (random % 2 == 0 ? value.bitPattern : any) & 0xffff_0000)
        case .f16:
            return Float(random % 2 == 0 ? Float16(value) : Float16(bitPattern: UInt16(any >> 16)))
        }
    }

    func packed(_ placement: WeightPlacement = .anywhere) throws -> PackedMatrix {
        let (weights, format) = (reference, reference.format)
        let groups = format.groupCount(columns: weights.columns)
        return try PackedMatrix(
            rows: weights.rows, columns: weights.columns, groups: format, columnOrder: weights.columnOrder,
            placement: placement
        ) { rows, panel in
            for (lane, row) in rows.enumerated() {
                for column in 0..<weights.columns {
                    panel.codes[column * GroupedPanel.rowCount + lane] = weights.codes[row * weights.columns + column]
                }
                for group in 0..<groups {
                    let place = format.isSharedByPanel ? group : group * GroupedPanel.rowCount + lane
                    let scale = weights.scales[row * groups + group]
                    switch format.scale {
                    case .f32: panel.scales.storeBytes(of: scale, toByteOffset: place * 4, as: Float.self)
                    case .bf16:
                        panel.scales.storeBytes(
                            of: UInt16(scale.bitPattern >> 16), toByteOffset: place * 2, as: UInt16.self)
                    case .f16:
                        panel.scales.storeBytes(
                            of: Float16(scale).bitPattern, toByteOffset: place * 2, as: UInt16.self)
                    }
                    if format.zeros != .center {
                        panel.zeros[group * GroupedPanel.rowCount + lane] = weights.zeros[row * groups + group]
                    }
                }
            }
        }
    }
}
