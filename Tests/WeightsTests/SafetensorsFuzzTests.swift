import Basics
import Kernels
import TestSupport
import Testing
import Weights

/// Headers and indexes that nobody would write on purpose: they are refused in words, or mean something that holds.
/// `Tests/Fuzz/run safetensors` looks for more, with coverage to guide it.
@Suite struct SafetensorsFuzzTests {
    private let header = Array(
        """
        {"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},
        "b":{"dtype":"I64","shape":[],"data_offsets":[16,24]},"\\u0063":{"dtype":"F32","shape":[0,4],
        "data_offsets":[64,64]},"d":{"dtype":"F16","shape":[1.0,2e0],"data_offsets":[24,28]}}
        """.utf8)
    private let index = Array(
        #"{"metadata":{"total_size":12},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}"#.utf8)

    @Test func changedHeadersAreRefusedOrHold() throws {
        var generator = SeededGenerator(seed: 21)
        var acceptedCount = 0
        for _ in 0..<10_000 where try checkHeader(mutated(header, &generator), dataByteCount: 64) {
            acceptedCount += 1
        }
        #expect(acceptedCount > 100)
    }

    @Test func changedIndexesAreRefusedOrHold() throws {
        var generator = SeededGenerator(seed: 22)
        var acceptedCount = 0
        for _ in 0..<10_000 where try checkIndex(mutated(index, &generator)) { acceptedCount += 1 }
        #expect(acceptedCount > 100)
    }

    @Test func randomBytesAreRefusedOrHold() throws {
        var generator = SeededGenerator(seed: 23)
        // Bytes that JSON knows, so that some of it gets beyond the first one, and now and then any other.
        let alphabet = Array(#"{}[]:,"\u0e1-.tnfa "#.utf8)
        for _ in 0..<10_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                Int.random(in: 0..<20, using: &generator) == 0
                    ? UInt8.random(in: 0...255, using: &generator) : alphabet.randomElement(using: &generator) ?? 0
            }
            _ = try checkHeader(bytes, dataByteCount: 8)
            _ = try checkIndex(bytes)
        }
    }

    private func mutated(_ sample: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = sample
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, place + Int.random(in: 1...12, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = UInt8.random(in: UInt8(ascii: "0")...UInt8(ascii: "9"), using: &generator)
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &generator))
            case 4: bytes.insert(contentsOf: Array("9223372036854775807".utf8), at: place)
            default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
            }
        }
        return bytes
    }

    /// - Returns: whether the header was accepted.
    private func checkHeader(_ bytes: [UInt8], dataByteCount: Int) throws -> Bool {
        let header: SafetensorsHeader
        do throws(WeightsError) {
            header = try SafetensorsHeader(parsing: bytes, dataByteCount: dataByteCount, file: "f")
        } catch {
            try #require(!error.description.isEmpty)
            return false
        }
        let text = Comment(rawValue: String(decoding: bytes, as: UTF8.self))
        for (name, tensor) in header.tensors {
            try #require(tensor.name == name, text)
            try #require((0...dataByteCount).contains(tensor.dataRange.lowerBound), text)
            try #require((0...dataByteCount).contains(tensor.dataRange.upperBound), text)
            try #require(tensor.dataRange.count == tensor.byteCount, text)
            try #require(tensor.shape.allSatisfy { $0 >= 0 }, text)
            try #require(tensor.shape.count <= Limits.Weights.dimensionsMax, text)
            guard let format = tensor.format else { continue }
            let count = tensor.shape.contains(0) ? 0 : tensor.shape.reduce(1, *)
            try #require(tensor.byteCount == format.byteCount(of: count), text)
        }
        let places = header.tensors.values.map(\.dataRange).filter { !$0.isEmpty }
        for place in places { try #require(places.count { $0.overlaps(place) } == 1, text) }
        return true
    }

    /// - Returns: whether the index was accepted.
    private func checkIndex(_ bytes: [UInt8]) throws -> Bool {
        let index: SafetensorsIndex
        do throws(WeightsError) { index = try SafetensorsIndex(parsing: bytes, path: "i") } catch {
            try #require(!error.description.isEmpty)
            return false
        }
        for name in index.fileNames {
            let isPlain = !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == 0 || $0 == 0x2F }
            try #require(isPlain, "a file named '\(name)'")
        }
        return true
    }
}
