import CKernels

/// Weights as codes of which a group of neighbouring columns shares a scale, as quantised checkpoints are published: the
/// scales lie at the start of a panel, the codes behind them, and nothing is decoded before it is multiplied.
///
/// With integer codes `weight = scale * (code - zero)`, where `code - zero` is exact. With 8-bit floats
/// `weight = (value / 256) * (scale * 256)`, which is `value * scale` unless the scale is 2^120 or more.
public struct GroupedFormat: Hashable, Sendable {
    /// What a code is.
    public enum Code: UInt8, Sendable, CaseIterable {
        /// An 8-bit float with 4 bits of exponent and 3 of fraction (OCP 8-bit Floating Point Specification 1.0).
        case e4m3
        /// An integer from 0 to 15.
        case int4
        /// An integer from 0 to 255.
        case int8

        /// Bits of one code.
        public var bits: Int { self == .int4 ? 4 : 8 }

        /// What integer codes have too much where nothing else is said.
        public var center: Int {
            switch self {
            case .e4m3: 0
            case .int4: 8
            case .int8: 128
            }
        }
    }

    /// How a scale is stored.
    public enum Scale: UInt8, Sendable, CaseIterable {
        /// The upper half of an f32.
        case bf16
        /// IEEE half precision.
        case f16
        /// IEEE single precision.
        case f32

        /// Size of one, in bytes.
        public var byteCount: Int { self == .f32 ? 4 : 2 }
    }

    /// What is subtracted from integer codes.
    public enum Zeros: UInt8, Sendable, CaseIterable {
        /// The middle of the codes, 8 or 128.
        case center
        /// A number for each scale, as it is stored.
        case stored
        /// A number for each scale, which is stored minus one.
        case storedMinusOne
    }

    /// What a code is.
    public let code: Code
    /// How many neighbouring columns share a scale, a multiple of 32; nil: all of a row. The last group of a row may
    /// have fewer.
    public let groupColumns: Int?
    /// How a scale is stored.
    public let scale: Scale
    /// Whether the 16 rows of a panel have one scale together, which is an f32, or each its own.
    public let isSharedByPanel: Bool
    /// What is subtracted from integer codes.
    public let zeros: Zeros
    /// Whether columns are stored in another order than that of the input, see `PackedMatrix.columnOrder`.
    public let isReordered: Bool

    /// Describes codes in groups.
    public init(
        code: Code, groupColumns: Int?, scale: Scale, isSharedByPanel: Bool = false, zeros: Zeros = .center,
        isReordered: Bool = false
    ) {
        precondition(groupColumns.map { $0 > 0 && $0 % Self.columnsMultiple == 0 } ?? true, "groups are whole blocks")
        precondition(!isSharedByPanel || scale == .f32, "a panel's own scale is an f32")
        precondition(code != .e4m3 || (zeros == .center && !isReordered), "floats have no zeros and no order")
        self.code = code
        self.groupColumns = groupColumns
        self.scale = scale
        self.isSharedByPanel = isSharedByPanel
        self.zeros = zeros
        self.isReordered = isReordered
    }

    /// Columns of a block, whole ones of which groups and rows of integer codes are made.
    public static let columnsMultiple = Int(COLONY_BLOCK_COLUMNS)

    /// Whether kernels multiply with 8-bit activations, if they may. Floats are multiplied with f32, and so are codes
    /// whose columns are reordered: 32 of those have no activation scale together.
    public var takesIntegers: Bool { code != .e4m3 && !isReordered }

    /// Groups of a row.
    public func groupCount(columns: Int) -> Int {
        groupColumns.map { (columns + $0 - 1) / $0 } ?? 1
    }

    /// The group of a column, in stored order.
    public func group(ofColumn column: Int) -> Int { groupColumns.map { column / $0 } ?? 0 }

    /// What one weight is: the scalar definition of all kernels. `zero` is as it is stored.
    public func weight(code bits: UInt8, scale: Float, zero: UInt8) -> Float {
        switch (code, zeros) {
        case (.e4m3, _): Self.valueOfE4M3(bits) / 256 * (scale * 256)
        case (_, .center): scale * Float(Int(bits) - code.center)
        case (_, .stored): scale * Float(Int(bits) - Int(zero))
        case (_, .storedMinusOne): scale * Float(Int(bits) - Int(zero) - 1)
        }
    }

    /// The value of an 8-bit float: 7 is the exponent's bias, an exponent of 0 makes subnormal numbers, and the largest
    /// magnitude is no number.
    public static func valueOfE4M3(_ bits: UInt8) -> Float {
        let (exponent, fraction) = (Int(bits >> 3 & 15), Float(bits & 7))
        if bits & 0x7f == 0x7f { return .nan }
        let magnitude =
            exponent == 0
            ? fraction * 0x1p-9 : Float(sign: .plus, exponent: exponent - 10, significand: 8 + fraction)
        return bits & 0x80 == 0 ? magnitude : -magnitude
    }
}

extension GroupedFormat: CustomStringConvertible {
    /// A short name, for instance `INT4-G128-F16`.
    public var description: String {
        let name =
            switch code {
            case .e4m3: "FP8"
            case .int4: "INT4"
            case .int8: "INT8"
            }
        let group = groupColumns.map { "-G\($0)" } ?? "-ROW"
        let kind = scale == .f32 ? "" : scale == .f16 ? "-F16" : "-BF16"
        return name + group + kind + (zeros == .center ? "" : "-Z") + (isReordered ? "-ORDER" : "")
    }
}

extension GroupedFormat {
    /// Where a panel of this format has what; `column_order` is left out.
    func layout(columns: Int) -> colony_group_layout {
        let block = Self.columnsMultiple
        let groups = groupCount(columns: columns)
        let blocks = (columns + block - 1) / block
        let blocksPerGroup = groupColumns.map { $0 / block } ?? blocks
        let scaleBytes = groups * (isSharedByPanel ? Scale.f32.byteCount : panelRows * scale.byteCount)
        let zeroBytes = zeros == .center ? 0 : groups * panelRows
        var layout = colony_group_layout()
        layout.group_columns = blocksPerGroup * block
        layout.group_inverse = ((1 << 32) + UInt64(blocksPerGroup) - 1) / UInt64(blocksPerGroup)
        layout.zeros_offset = scaleBytes
        layout.codes_offset = (scaleBytes + zeroBytes + 63) / 64 * 64
        layout.panel_bytes = layout.codes_offset + blocks * block * panelRows * code.bits / 8
        layout.scale_format = Int32(scaleFormat.tableIndex)
        layout.is_shared = isSharedByPanel ? 1 : 0
        layout.zero_base = zeros == .storedMinusOne ? 1 : 0
        return layout
    }

    private var scaleFormat: WeightFormat {
        switch scale {
        case .bf16: .bf16
        case .f16: .f16
        case .f32: .f32
        }
    }

    /// Where the kernels' table of blocks has the format; nil for floats.
    var tableIndex: Int? {
        switch (code, zeros) {
        case (.e4m3, _): nil
        case (.int4, .center): COLONY_BLOCK_INT4
        case (.int4, _): COLONY_BLOCK_INT4_ZEROS
        case (.int8, .center): COLONY_BLOCK_INT8
        case (.int8, _): COLONY_BLOCK_INT8_ZEROS
        }
    }
}
