import Basics

/// Values that several messages have in common.
extension ByteWriter {
    mutating func node(_ node: NodeID) throws(WireError) {
        try string("node", node.value, bytesMax: Limits.Wire.nodeNameBytesMax)
    }

    mutating func role(_ role: Role) { integer(role.wireNumber) }

    /// 32 bytes.
    mutating func digest(_ digest: ModelDigest) throws(WireError) {
        let digits = Array(digest.hexadecimal.utf8)
        guard digits.count == 64, digits.allSatisfy({ hexadecimalValue($0) != nil }) else {
            throw .invalidValue(
                field: "model digest", reason: "'\(digest.hexadecimal)' does not have 64 lower-case hexadecimal digits")
        }
        for position in stride(from: 0, to: 64, by: 2) {
            let high = hexadecimalValue(digits[position]) ?? 0
            let low = hexadecimalValue(digits[position + 1]) ?? 0
            integer(high << 4 | low)
        }
    }

    /// A byte that says how the shards are written, 1 so far: a count, then layer and expert of each.
    mutating func shards(_ shards: [ShardID]) throws(WireError) {
        integer(shardListForm)
        try list("shards", shards, limit: Limits.Wire.shardsMax) { (writer, shard) throws(WireError) in
            switch shard {
            case .expert(let layer, let expert):
                try writer.uint32("layer", layer.value)
                try writer.uint32("expert", expert.value)
            }
        }
    }

    mutating func tokens(_ field: String, _ tokens: [TokenID], limit: Int) throws(WireError) {
        try list(field, tokens, limit: limit) { writer, token in writer.integer(token.value) }
    }
}

extension ByteReader {
    mutating func node() throws(WireError) -> NodeID {
        let name = try string("node", bytesMax: Limits.Wire.nodeNameBytesMax)
        guard !name.isEmpty else { throw .invalidValue(field: "node", reason: "is empty") }
        return NodeID(name)
    }

    mutating func role() throws(WireError) -> Role {
        let number = try integer("role", as: UInt8.self)
        guard let role = Role(wireNumber: number) else {
            throw .invalidValue(field: "role", reason: "\(number) is unknown")
        }
        return role
    }

    mutating func digest() throws(WireError) -> ModelDigest {
        let bytes = try fixedBytes("model digest", count: 32)
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return ModelDigest(hexadecimal: String(decoding: text, as: UTF8.self))
    }

    mutating func shards() throws(WireError) -> [ShardID] {
        let form = try integer("form of shards", as: UInt8.self)
        guard form == shardListForm else {
            throw .invalidValue(field: "form of shards", reason: "\(form) is unknown")
        }
        return try list("shards", limit: Limits.Wire.shardsMax, elementByteCountMin: 8) {
            (reader) throws(WireError) -> ShardID in
            let layer = Int(try reader.integer("layer", as: UInt32.self))
            let expert = Int(try reader.integer("expert", as: UInt32.self))
            guard layer < Limits.Wire.layersMax else {
                throw .beyondLimit(field: "layer", value: layer, limit: Limits.Wire.layersMax - 1)
            }
            guard expert < Limits.Wire.expertsMax else {
                throw .beyondLimit(field: "expert", value: expert, limit: Limits.Wire.expertsMax - 1)
            }
            return .expert(layer: LayerIndex(layer), expert: ExpertIndex(expert))
        }
    }

    mutating func tokens(_ field: String, limit: Int) throws(WireError) -> [TokenID] {
        try list(field, limit: limit, elementByteCountMin: 4) { (reader) throws(WireError) in
            TokenID(try reader.integer(field))
        }
    }
}

private let shardListForm: UInt8 = 1

private func hexadecimalValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
}
