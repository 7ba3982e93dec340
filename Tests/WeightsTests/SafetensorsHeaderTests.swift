import Basics
import Kernels
import TestSupport
import Testing
import Weights

/// Headers that lie are refused with the tensor and the numbers, and no input stops the process.
@Suite struct SafetensorsHeaderTests {
    private func parse(_ text: String, dataByteCount: Int = 64) throws(WeightsError) -> SafetensorsHeader {
        try SafetensorsHeader(parsing: Array(text.utf8), dataByteCount: dataByteCount, file: "f")
    }

    /// One tensor of bytes.
    private func entry(_ name: String, _ place: Range<Int>) -> String {
        let offsets = "[\(place.lowerBound),\(place.upperBound)]"
        return #""\#(name)":{"dtype":"U8","shape":[\#(place.count)],"data_offsets":\#(offsets)}"#
    }

    @Test func describesEveryKindOfTensor() throws {
        let header = try parse(
            """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},
            "b":{"dtype":"I64","shape":[],"data_offsets":[16,24]},
            "c":{"dtype":"NEW","shape":[9],"data_offsets":[24,25]},
            "d":{"dtype":"F32","shape":[0,4],"data_offsets":[64,64]}}
            """)
        #expect(header.tensors.count == 4)
        #expect(header.tensors["a"]?.format == .bf16)
        #expect(header.tensors["a"]?.shape == [2, 3])
        #expect(header.tensors["b"]?.format == nil)
        #expect(header.tensors["b"]?.elementType == "I64")
        #expect(header.tensors["b"]?.byteCount == 8)
        #expect(header.tensors["c"]?.byteCount == 1)
        #expect(header.tensors["d"]?.byteCount == 0)
    }

    @Test func placesBeyondTheFileAreRefused() {
        #expect(throws: WeightsError.tensorOutOfFile(tensor: "a", file: "f", begin: 60, end: 72, dataByteCount: 64)) {
            try parse(#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[60,72]}}"#)
        }
        #expect(throws: WeightsError.tensorOutOfFile(tensor: "a", file: "f", begin: 8, end: 4, dataByteCount: 64)) {
            try parse(#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[8,4]}}"#)
        }
        #expect(throws: WeightsError.tensorOutOfFile(tensor: "a", file: "f", begin: -4, end: 4, dataByteCount: 64)) {
            try parse(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-4,4]}}"#)
        }
    }

    @Test func sizesThatContradictTheShapeAreRefused() {
        #expect(
            throws: WeightsError.tensorSizeMismatch(
                tensor: "a", file: "f", shape: [3], type: "F16", expectedByteCount: 6, foundByteCount: 8)
        ) {
            try parse(#"{"a":{"dtype":"F16","shape":[3],"data_offsets":[0,8]}}"#)
        }
        #expect(
            throws: WeightsError.headerMalformed(
                file: "f", reason: "tensor a: shape [4611686018427387904, 4] is beyond all memory", byteOffset: 8)
        ) {
            try parse(#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}"#)
        }
    }

    @Test func overlapsAndDuplicatesAreRefusedAndGapsAreNot() throws {
        #expect(throws: WeightsError.tensorsOverlap(tensor: "b", other: "a", file: "f", byteOffset: 4)) {
            try parse(
                "{\(entry("a", 4..<12)),\(entry("b", 0..<5))}"
            )
        }
        #expect(throws: WeightsError.tensorDuplicated(tensor: "a", file: "f")) {
            try parse(
                "{\(entry("a", 0..<4)),\(entry("a", 4..<8))}"
            )
        }
        _ = try parse(
            "{\(entry("a", 0..<4)),\(entry("b", 40..<44))}"
        )
    }

    @Test(arguments: [
        "", "[]", "null", "{", #"{"a":1}"#, #"{"a":{}}"#, #"{"a":{"dtype":1,"shape":[],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,"x"]}}"#,
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,99999999999999999999]}}"#,
    ])
    func malformedHeadersAreRefused(_ text: String) {
        do throws(WeightsError) {
            _ = try parse(text)
            Issue.record("accepted \(text)")
        } catch {
            guard case .headerMalformed(let file, _, let offset) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(file == "f" && offset == 8)
        }
    }

    @Test func damagedHeadersNeverTrap() throws {
        let valid = Array(
            #"{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#.utf8)
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<3000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &generator)], at: place)
                }
            }
            _ = try? SafetensorsHeader(parsing: bytes, dataByteCount: 16, file: "f")
        }
    }
}
