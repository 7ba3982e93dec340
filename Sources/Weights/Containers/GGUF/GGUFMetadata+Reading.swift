import Basics

extension GGUFMetadata {
    /// Reads `count` keys with their values.
    init(reading cursor: inout GGUFCursor, count: Int) throws(WeightsError) {
        var values: [String: JSON] = [:]
        values.reserveCapacity(count)
        var elementsLeft = Limits.GGUF.arrayElementsMax
        for _ in 0..<count {
            let place = cursor.offset
            let key = try cursor.string("a key", bytesMax: Limits.GGUF.keyBytesMax)
            let kind = try Self.kind(&cursor, of: key)
            let value = try Self.value(&cursor, kind, of: key, depth: 0, elementsLeft: &elementsLeft)
            guard values.updateValue(value, forKey: key) == nil else {
                throw cursor.malformed("the key \(key) occurs twice", at: place)
            }
        }
        self.init(values)
    }

    private static func kind(_ cursor: inout GGUFCursor, of key: String) throws(WeightsError) -> GGUFValueKind {
        let place = cursor.offset
        let number = try cursor.integer(UInt32.self)
        guard let kind = GGUFValueKind(rawValue: number) else {
            throw cursor.malformed(
                "the value of \(key) has kind \(number), known are 0 to \(GGUFValueKind.float64.rawValue)", at: place)
        }
        return kind
    }

    private static func value(
        _ cursor: inout GGUFCursor, _ kind: GGUFValueKind, of key: String, depth: Int, elementsLeft: inout Int
    ) throws(WeightsError) -> JSON {
        switch kind {
        case .uint8: .integer(Int64(try cursor.integer(UInt8.self)))
        case .int8: .integer(Int64(try cursor.integer(Int8.self)))
        case .uint16: .integer(Int64(try cursor.integer(UInt16.self)))
        case .int16: .integer(Int64(try cursor.integer(Int16.self)))
        case .uint32: .integer(Int64(try cursor.integer(UInt32.self)))
        case .int32: .integer(Int64(try cursor.integer(Int32.self)))
        case .int64: .integer(try cursor.integer(Int64.self))
        case .uint64: unsigned(try cursor.integer(UInt64.self))
        case .float32: .double(Double(Float(bitPattern: try cursor.integer(UInt32.self))))
        case .float64: .double(Double(bitPattern: try cursor.integer(UInt64.self)))
        case .bool: .bool(try boolean(&cursor, of: key))
        case .string: .string(try cursor.string("the value of \(key)", bytesMax: Limits.GGUF.stringBytesMax))
        case .array: try array(&cursor, of: key, depth: depth + 1, elementsLeft: &elementsLeft)
        }
    }

    private static func unsigned(_ number: UInt64) -> JSON {
        Int64(exactly: number).map(JSON.integer) ?? .double(Double(number))
    }

    private static func boolean(_ cursor: inout GGUFCursor, of key: String) throws(WeightsError) -> Bool {
        let place = cursor.offset
        let byte = try cursor.integer(UInt8.self)
        guard byte <= 1 else { throw cursor.malformed("a boolean of \(key) is \(byte), not 0 or 1", at: place) }
        return byte == 1
    }

    private static func array(
        _ cursor: inout GGUFCursor, of key: String, depth: Int, elementsLeft: inout Int
    ) throws(WeightsError) -> JSON {
        guard depth <= Limits.GGUF.arrayDepthMax else {
            throw cursor.malformed("the arrays of \(key) nest deeper than \(Limits.GGUF.arrayDepthMax) levels")
        }
        let kind = try kind(&cursor, of: key)
        let count = try cursor.count(
            of: "elements of \(key) beside those of other arrays", max: elementsLeft, byteCountMin: kind.byteCountMin)
        elementsLeft -= count
        var elements: [JSON] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            elements.append(try value(&cursor, kind, of: key, depth: depth, elementsLeft: &elementsLeft))
        }
        return .array(elements)
    }
}
