import Basics
import Kernels
import Weights

private func number<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * Number($0))) }
}

private func text(_ value: String) -> [UInt8] { number(UInt64(value.utf8.count)) + Array(value.utf8) }

private func start(version: UInt32 = 3, tensors: UInt64, keys: UInt64) -> [UInt8] {
    Array("GGUF".utf8) + number(version) + number(tensors) + number(keys)
}

private func key(_ name: String, _ kind: UInt32, _ value: [UInt8]) -> [UInt8] { text(name) + number(kind) + value }

private func tensor(_ name: String, _ dimensions: [UInt64], _ type: UInt32, _ offset: UInt64) -> [UInt8] {
    text(name) + number(UInt32(dimensions.count)) + dimensions.flatMap(number) + number(type) + number(offset)
}

/// Headers; the first byte says how many times 8 bytes follow in the file.
let seeds: [String: [UInt8]] = [
    "arrays": [0] + start(tensors: 0, keys: 2)
        + key("strings", 9, number(UInt32(8)) + number(UInt64(2)) + text("a") + text("ü"))
        + key("nested", 9, number(UInt32(9)) + number(UInt64(1)) + number(UInt32(0)) + number(UInt64(3)) + [1, 2, 3]),
    "empty": [0] + start(version: 2, tensors: 0, keys: 0),
    "tensors": [255] + start(tensors: 4, keys: 1) + key("general.alignment", 4, number(UInt32(8)))
        + tensor("w", [256, 2], 12, 0) + tensor("v", [3], 0, 288) + tensor("u", [1, 1, 1, 0], 30, 304)
        + tensor("t", [9], 99, 0),
    "values": [0] + start(tensors: 0, keys: 5) + key("f", 6, [0, 0, 128, 63]) + key("b", 7, [1])
        + key("d", 12, [UInt8](repeating: 255, count: 8)) + key("u", 10, number(UInt64.max)) + key("s", 8, text("x")),
]

/// The bytes are the beginning of a file. They may not trap, and what is accepted is what readers of tensors rely on.
func fuzz(choice: UInt8, bytes: [UInt8]) {
    let fileByteCount = bytes.count + 8 * Int(choice)
    do throws(WeightsError) {
        check(try GGUFHeader(parsing: bytes, fileByteCount: fileByteCount, file: "f"), bytes.count, fileByteCount)
    } catch {
        insist(!error.description.isEmpty, "an error without a description")
        guard case .fileTruncated(_, let needed, let found) = error else { return }
        insist(needed > found && (found == bytes.count || found == fileByteCount), "\(error)")
    }
}

private func check(_ header: GGUFHeader, _ byteCount: Int, _ fileByteCount: Int) {
    insist(header.byteCount <= byteCount && header.byteCount <= header.dataStart, "\(header.byteCount) bytes")
    let dataByteCount = max(0, fileByteCount - header.dataStart)
    for (name, tensor) in header.tensors {
        insist(tensor.name == name, "\(name) is described as \(tensor)")
        insist(tensor.shape.count <= Limits.GGUF.dimensionsMax, "\(tensor) has too many dimensions")
        insist(tensor.shape.allSatisfy { $0 >= 0 }, "\(tensor) has a negative dimension")
        guard let format = tensor.format else { continue }
        let place = tensor.dataRange
        insist(place.lowerBound >= 0 && place.upperBound <= dataByteCount, "\(tensor) is not in \(dataByteCount) bytes")
        let count = tensor.shape.contains(0) ? 0 : tensor.shape.reduce(1, *)
        insist(tensor.byteCount == format.byteCount(of: count), "\(tensor) has another size")
    }
    let places = header.tensors.values.map(\.dataRange).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
    for (left, right) in zip(places, places.dropFirst()) {
        insist(left.upperBound <= right.lowerBound, "\(left) and \(right) overlap")
    }
}
