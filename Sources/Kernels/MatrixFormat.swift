import CKernels

/// How the weights of a matrix are stored.
public enum MatrixFormat: Hashable, Sendable {
    /// As codes in groups, whose scales lie apart.
    case grouped(GroupedFormat)
    /// As numbers, or as blocks that hold all they need.
    case stored(WeightFormat)

    /// Whether a weight is a number of its own.
    public var isPlain: Bool {
        switch self {
        case .grouped: false
        case .stored(let format): format.isPlain
        }
    }

    /// Whether kernels multiply with 8-bit activations, if they may.
    public var takesIntegers: Bool {
        switch self {
        case .grouped(let format): format.takesIntegers
        case .stored(let format): !format.isPlain
        }
    }

    /// What rows are whole numbers of, in columns.
    public var columnsMultiple: Int {
        switch self {
        case .grouped(let format): format.code == .e4m3 ? 1 : GroupedFormat.columnsMultiple
        case .stored(let format): format.columnsPerBlock
        }
    }

    /// Size of a panel of 16 rows, in bytes.
    func panelBytes(columns: Int) -> Int {
        switch self {
        case .grouped(let format): format.layout(columns: columns).panel_bytes
        case .stored(let format): panelRows * format.byteCount(of: columns)
        }
    }
}

extension MatrixFormat: CustomStringConvertible {
    /// The format's name.
    public var description: String {
        switch self {
        case .grouped(let format): format.description
        case .stored(let format): format.rawValue
        }
    }
}

extension MatrixFormat {
    /// The format as one number, for files: see `init(number:)`.
    package var number: UInt32 {
        switch self {
        case .stored(let format): UInt32(WeightFormat.allCases.firstIndex(of: format) ?? 0)
        case .grouped(let format):
            0x8000_0000 | UInt32(format.code.rawValue) | UInt32(format.scale.rawValue) << 2
                | UInt32(format.zeros.rawValue) << 4 | (format.isSharedByPanel ? 1 : 0) << 6
                | (format.isReordered ? 1 : 0) << 7
                | UInt32((format.groupColumns ?? 0) / GroupedFormat.columnsMultiple) << 8
        }
    }

    /// The format that has this number; nil if none has.
    package init?(number: UInt32) {
        guard number & 0x8000_0000 != 0 else {
            guard number < WeightFormat.allCases.count else { return nil }
            self = .stored(WeightFormat.allCases[Int(number)])
            return
        }
        let groupBlocks = Int(number >> 8 & 0x7f_ffff)
        let (isShared, isReordered) = (number >> 6 & 1 == 1, number >> 7 & 1 == 1)
        guard let code = GroupedFormat.Code(rawValue: UInt8(number & 3)),
            let scale = GroupedFormat.Scale(rawValue: UInt8(number >> 2 & 3)),
            let zeros = GroupedFormat.Zeros(rawValue: UInt8(number >> 4 & 3)), !isShared || scale == .f32,
            code != .e4m3 || (zeros == .center && !isReordered)
        else { return nil }
        self = .grouped(
            GroupedFormat(
                code: code, groupColumns: groupBlocks == 0 ? nil : groupBlocks * GroupedFormat.columnsMultiple,
                scale: scale, isSharedByPanel: isShared, zeros: zeros, isReordered: isReordered))
    }
}
