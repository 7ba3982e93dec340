import Basics
import Kernels
import TestSupport
import Testing
import Weights

/// Headers that nobody would write on purpose: they are refused in words, or mean something that holds.
/// `Tests/Fuzz/run gguf` looks for more, with coverage to guide it.
@Suite struct GGUFFuzzTests {
    private var sample: [UInt8] {
        var builder = GGUFBuilder(keys: [
            ("general.alignment", .uint32(8)), ("a", .array(kind: 9, [.strings(["x", "yz"]), .array(kind: 1, [])])),
            ("n", .uint16(3)), ("b", .bool(1)),
        ])
        builder.alignment = 8
        builder.add("w", [32, 2], type: 8, [UInt8](repeating: 1, count: 68))
        builder.add("v", [3], type: 0, [UInt8](repeating: 2, count: 12))
        builder.add("u", [1, 1, 1], type: 24, [3])
        return builder.file
    }

    @Test func changedHeadersAreRefusedOrHold() throws {
        var generator = SeededGenerator(seed: 31)
        let sample = sample
        var acceptedCount = 0
        for _ in 0..<10_000 where try check(mutated(sample, &generator)) { acceptedCount += 1 }
        #expect(acceptedCount > 100)
    }

    private func mutated(_ sample: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = sample
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, place + Int.random(in: 1...12, using: &generator))
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &generator))
            default: for index in place..<end { bytes[index] = 255 }
            }
        }
        return bytes
    }

    /// - Returns: whether the header was accepted.
    private func check(_ bytes: [UInt8]) throws -> Bool {
        let header: GGUFHeader
        do throws(WeightsError) {
            header = try GGUFHeader(parsing: bytes, fileByteCount: bytes.count, file: "f")
        } catch {
            try #require(!error.description.isEmpty)
            return false
        }
        let text = Comment(rawValue: "\(bytes)")
        try #require(header.byteCount <= bytes.count && header.byteCount <= header.dataStart, text)
        for (name, tensor) in header.tensors {
            try #require(tensor.name == name && tensor.shape.count <= Limits.GGUF.dimensionsMax, text)
            guard let format = tensor.format else { continue }
            try #require(tensor.dataRange.upperBound <= max(0, bytes.count - header.dataStart), text)
            let count = tensor.shape.contains(0) ? 0 : tensor.shape.reduce(1, *)
            try #require(tensor.byteCount == format.byteCount(of: count), text)
        }
        let places = header.tensors.values.map(\.dataRange).filter { !$0.isEmpty }
        for place in places { try #require(places.count { $0.overlaps(place) } == 1, text) }
        return true
    }
}
