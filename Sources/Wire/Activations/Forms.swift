/// In which form the rows of a `dispatch` travel.
public enum RowForm: UInt32, Sendable, CaseIterable {
    /// `width` f32.
    case float32 = 0
    /// 8-bit integers in blocks of 32 values, the last one padded with zeros: the codes of all blocks, then an f32
    /// scale for each.
    case int8Blocks = 1

    /// Values that share a scale.
    static let blockWidth = 32

    /// Bytes of a row of `width` values, a multiple of 4.
    public func rowByteCount(width: Int) -> Int {
        switch self {
        case .float32: width * 4
        case .int8Blocks: (width + Self.blockWidth - 1) / Self.blockWidth * (Self.blockWidth + 4)
        }
    }
}

/// In which form activations meet an expert's weights that are stored in blocks.
public enum ActivationForm: UInt32, Sendable, CaseIterable {
    /// 8-bit integers with a scale per 32.
    case int8 = 0
    /// f32.
    case float32 = 1
}

/// In which form the rows of a `combine` travel, and are added up.
public enum ResultForm: UInt32, Sendable, CaseIterable {
    /// `width` f32.
    case float32 = 0
    /// `width` bfloat16, rounded to the nearest, ties to even.
    case brainFloat16 = 1
    /// 8-bit integers in blocks, as `RowForm.int8Blocks`.
    case int8Blocks = 2

    /// Bytes of a row of `width` values.
    public func rowByteCount(width: Int) -> Int {
        switch self {
        case .float32: RowForm.float32.rowByteCount(width: width)
        case .brainFloat16: width * 2
        case .int8Blocks: RowForm.int8Blocks.rowByteCount(width: width)
        }
    }

    /// Reads the field of a head.
    init(reading number: UInt32) throws(WireError) {
        guard let form = ResultForm(rawValue: number) else {
            throw .invalidValue(field: "resultForm", reason: "\(number) is unknown")
        }
        self = form
    }

    /// Fails where a version of the protocol has no such form.
    func check(version: UInt16) throws(WireError) {
        if self != .float32, version < ProtocolVersion.resultForms {
            throw .invalidValue(field: "resultForm", reason: "is \(self), too much for version \(version)")
        }
    }
}
