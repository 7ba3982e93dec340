import Basics
import Kernels
import TestSupport
import Testing
import Weights

/// The header of GGUF files: bytes written by hand are read to the last bit, every lie is an error with its numbers.
@Suite struct GGUFHeaderTests {
    private func error(_ bytes: [UInt8], fileByteCount: Int? = nil) -> WeightsError? {
        do throws(WeightsError) {
            _ = try GGUFHeader(parsing: bytes, fileByteCount: fileByteCount ?? bytes.count, file: "f")
            return nil
        } catch {
            return error
        }
    }

    private func read(_ builder: GGUFBuilder) throws -> GGUFHeader {
        try GGUFHeader(parsing: builder.file, fileByteCount: builder.file.count, file: "f")
    }

    /// Whether the error is `headerMalformed` with this text.
    private func isMalformed(_ builder: GGUFBuilder, _ text: String) -> Bool {
        guard case .headerMalformed("f", let reason, _) = error(builder.file) else { return false }
        return reason.contains(text)
    }

    @Test func goldenBytes() throws {
        let keys: [UInt8] =
            [4, 0, 0, 0, 0, 0, 0, 0] + Array("word".utf8) + [8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0] + Array("hi".utf8)
            + [1, 0, 0, 0, 0, 0, 0, 0] + Array("n".utf8) + [5, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF]
        let tensor: [UInt8] =
            [1, 0, 0, 0, 0, 0, 0, 0] + Array("w".utf8) + [2, 0, 0, 0] + [3, 0, 0, 0, 0, 0, 0, 0]
            + [2, 0, 0, 0, 0, 0, 0, 0] + [1, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0]
        let counts: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
        let header = [0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0] + counts + keys + tensor
        let file = header + [UInt8](repeating: 0, count: 128 - header.count) + [UInt8](repeating: 7, count: 12)
        let parsed = try GGUFHeader(parsing: file, fileByteCount: file.count, file: "f")
        #expect(parsed.metadata == GGUFMetadata(["word": "hi", "n": -2]))
        #expect(parsed.byteCount == header.count && parsed.dataStart == 128)
        let weights = try #require(parsed.tensors["w"])
        #expect(weights.shape == [2, 3] && weights.format == .f16 && weights.byteCount == 12)
        #expect(weights.elementType == "F16" && weights.name == "w" && parsed.tensors.count == 1)
        var builder = GGUFBuilder(keys: [("word", .string("hi")), ("n", .int32(-2))])
        builder.add("w", [3, 2], type: 1, [UInt8](repeating: 7, count: 12))
        #expect(builder.file.prefix(file.count) == file[...])
    }

    @Test func everyKindOfValueIsRead() throws {
        let nested = GGUFBuilder.Value.array(
            kind: 9, [.array(kind: 0, [.uint8(1), .uint8(2)]), .strings(["a", "ü"]), .array(kind: 6, [])])
        let header = try read(
            GGUFBuilder(keys: [
                ("u8", .uint8(255)), ("i8", .int8(-128)), ("u16", .uint16(65535)), ("i16", .int16(-2)),
                ("u32", .uint32(.max)), ("i32", .int32(.min)), ("f32", .float32(1e-6)), ("yes", .bool(1)),
                ("no", .bool(0)), ("text", .string("é\n")), ("nested", nested), ("u64", .uint64(1 << 40)),
                ("huge", .uint64(.max)), ("i64", .int64(.min)), ("f64", .float64(0.1)), ("", .string("")),
            ]))
        let expected: [String: JSON] = [
            "u8": 255, "i8": -128, "u16": 65535, "i16": -2, "u32": 4_294_967_295, "i32": -2_147_483_648,
            "f32": .double(Double(Float(1e-6))), "yes": true, "no": false, "text": "é\n",
            "nested": [[1, 2], ["a", "ü"], []], "u64": 1_099_511_627_776, "huge": .double(0x1p64),
            "i64": .integer(.min), "f64": 0.1, "": "",
        ]
        #expect(header.metadata == GGUFMetadata(expected))
    }

    @Test func everyFormatHasItsSize() throws {
        let numbers: [UInt32: WeightFormat] = [
            0: .f32, 1: .f16, 2: .q40, 3: .q41, 6: .q50, 7: .q51, 8: .q80, 10: .q2K, 11: .q3K, 12: .q4K, 13: .q5K,
            14: .q6K, 20: .iq4NL, 23: .iq4XS, 30: .bf16, 39: .mxfp4,
        ]
        #expect(Set(numbers.values) == Set(WeightFormat.allCases))
        var builder = GGUFBuilder()
        for (number, format) in numbers {
            let count = format.byteCount(of: 3 * 512)
            builder.add(format.rawValue, [512, 3], type: number, [UInt8](repeating: 0, count: count))
        }
        let header = try read(builder)
        for format in numbers.values {
            let tensor = try #require(header.tensors[format.rawValue])
            #expect(tensor.format == format && tensor.byteCount == format.byteCount(of: 3 * 512))
            #expect(tensor.elementType == format.rawValue && tensor.shape == [3, 512])
        }
    }

    @Test func typesThatCannotServeArePassedOver() throws {
        var builder = GGUFBuilder()
        builder.add("known", [7], type: 18, [1, 2, 3])
        builder.add("unknown", [1 << 40], type: 99, [4], offset: 1 << 50)
        let header = try read(builder)
        #expect(header.tensors["known"]?.elementType == "IQ3_XXS" && header.tensors["known"]?.format == nil)
        #expect(header.tensors["unknown"]?.elementType == "type 99" && header.tensors["unknown"]?.byteCount == 0)
    }

    @Test func alignmentIsTheFilesOwn() throws {
        var builder = GGUFBuilder(keys: [("general.alignment", .uint32(256))], alignment: 256)
        builder.add("a", [1], type: 0, [0, 0, 128, 63])
        builder.add("b", [1], type: 0, [0, 0, 0, 64])
        let header = try read(builder)
        #expect(header.dataStart == 256 && header.tensors["b"]?.byteCount == 4)
        for bad in [GGUFBuilder.Value.uint32(0), .uint32(48), .string("32"), .int32(-32), .uint64(1 << 32)] {
            #expect(isMalformed(GGUFBuilder(keys: [("general.alignment", bad)]), "a power of two"))
        }
    }

    @Test func otherFilesAndVersionsAreRefused() throws {
        #expect(isMalformed(GGUFBuilder(magic: Array("GGML".utf8)), "it begins with the bytes 47474d4c"))
        #expect(isMalformed(GGUFBuilder(version: 1), "version 1"))
        #expect(isMalformed(GGUFBuilder(version: 4), "version 4"))
        #expect(isMalformed(GGUFBuilder(version: 0), "version 0"))
        #expect(isMalformed(GGUFBuilder(version: UInt32(3).byteSwapped), "big-endian file (version 3)"))
        #expect(error([]) == .fileTruncated(file: "f", expectedByteCount: 4, foundByteCount: 0))
        #expect(try read(GGUFBuilder(version: 2)).tensors.isEmpty)
    }

    @Test func anEndWithinTheHeaderSaysHowMuchIsNeeded() throws {
        var builder = GGUFBuilder(keys: [("a", .strings(["x", "yz"])), ("b", .bool(1))])
        builder.add("t", [2], type: 0, [UInt8](repeating: 0, count: 8))
        let header = builder.header
        for count in 0..<header.count {
            guard case .fileTruncated("f", let needed, count) = error(Array(header.prefix(count)), fileByteCount: 500)
            else {
                Issue.record("\(count) bytes of the header were enough")
                continue
            }
            #expect(needed > count && needed <= header.count)
        }
        #expect(error(header, fileByteCount: 500) == nil)
    }

    @Test func lengthsAreCheckedBeforeTheyAreBelieved() throws {
        let limits = Limits.GGUF.self
        func claims(_ number: UInt64) -> [UInt8] { littleEndian(number) }
        #expect(isMalformed(GGUFBuilder(claimedKeyCount: .max), "keys, the limit is \(limits.keyValuesMax)"))
        #expect(isMalformed(GGUFBuilder(claimedTensorCount: .max), "tensors, the limit is \(limits.tensorsMax)"))
        #expect(
            error(GGUFBuilder(claimedTensorCount: 1000).file)
                == .fileTruncated(file: "f", expectedByteCount: 16 + 24_000, foundByteCount: 32))
        let longKey = GGUFBuilder(keys: [(String(repeating: "k", count: 65_536), .bool(1))])
        #expect(isMalformed(longKey, "65536 bytes of a key, the limit is 65535"))
        let longText = GGUFBuilder(keys: [("k", .raw(kind: 8, claims(1 << 40)))])
        #expect(isMalformed(longText, "bytes of the value of k, the limit is \(limits.stringBytesMax)"))
        let lying = GGUFBuilder(keys: [("k", .raw(kind: 8, claims(1 << 20)))])
        #expect(
            error(lying.file) == .fileTruncated(file: "f", expectedByteCount: 45 + 1 << 20, foundByteCount: 64))
        let longArray = GGUFBuilder(keys: [("k", .raw(kind: 9, littleEndian(UInt32(0)) + claims(1 << 30)))])
        #expect(isMalformed(longArray, "elements of k beside those of other arrays, the limit is"))
        let wideArray = GGUFBuilder(keys: [("k", .raw(kind: 9, littleEndian(UInt32(8)) + claims(1000)))])
        #expect(
            error(wideArray.file) == .fileTruncated(file: "f", expectedByteCount: 49 + 8000, foundByteCount: 64))
        var deep = GGUFBuilder.Value.array(kind: 0, [])
        for _ in 0..<limits.arrayDepthMax { deep = .array(kind: 9, [deep]) }
        #expect(isMalformed(GGUFBuilder(keys: [("k", deep)]), "nest deeper than 4 levels"))
        var named = GGUFBuilder()
        named.add(String(repeating: "t", count: 256), [], type: 0, [])
        #expect(isMalformed(named, "256 bytes of a tensor's name, the limit is 255"))
    }

    @Test func valuesThatMeanNothingAreRefused() throws {
        #expect(isMalformed(GGUFBuilder(keys: [("k", .raw(kind: 13, []))]), "k has kind 13, known are 0 to 12"))
        #expect(isMalformed(GGUFBuilder(keys: [("k", .bool(2))]), "a boolean of k is 2"))
        #expect(isMalformed(GGUFBuilder(keys: [("k", .bool(1)), ("k", .bool(1))]), "the key k occurs twice"))
        let latin = GGUFBuilder(keys: [("k", .raw(kind: 8, littleEndian(UInt64(1)) + [0xFC]))])
        #expect(
            error(latin.file)
                == .headerMalformed(file: "f", reason: "the value of k is not UTF-8", byteOffset: 24 + 9 + 4 + 8))
    }

    @Test func tensorsThatLieAreRefused() throws {
        func error(_ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64? = nil) -> WeightsError? {
            var builder = GGUFBuilder()
            builder.add("first", [8], type: 0, [UInt8](repeating: 0, count: 32))
            builder.add("t", dimensions, type: type, [UInt8](repeating: 0, count: 32), offset: offset)
            return self.error(builder.file)
        }
        #expect(error([8]) == nil)
        #expect(
            error([9]) == .tensorOutOfFile(tensor: "t", file: "f", begin: 32, end: 68, dataByteCount: 64))
        #expect(
            error([8], offset: .max)
                == .tensorOutOfFile(tensor: "t", file: "f", begin: .max, end: .max, dataByteCount: 64))
        #expect(
            error([4], offset: 40) == .tensorMisaligned(tensor: "t", file: "f", byteOffset: 40, alignment: 32))
        #expect(
            error([8], offset: 0)
                == .tensorsOverlap(tensor: "first", other: "t", file: "f", byteOffset: 0)
                || error([8], offset: 0) == .tensorsOverlap(tensor: "t", other: "first", file: "f", byteOffset: 0))
        #expect(
            error([48], type: 8)
                == .rowNotWholeBlocks(tensor: "t", file: "f", type: "Q8_0", columns: 48, columnsPerBlock: 32))
        guard case .headerMalformed(_, "tensor t has 5 dimensions, the limit is 4", _) = error([1, 1, 1, 1, 1]),
            case .headerMalformed(_, "tensor t has a dimension of 18446744073709551615", _) = error([.max]),
            case .headerMalformed(_, let reason, _) = error([1 << 40, 1 << 40])
        else {
            Issue.record("dimensions that cannot be")
            return
        }
        #expect(reason.contains("beyond all memory"))
        #expect(error([1 << 40, 1 << 40, 0]) == nil, "no weights, no bytes")
        var twice = GGUFBuilder()
        for _ in 0..<2 { twice.add("t", [1], type: 0, [0, 0, 0, 0]) }
        #expect(self.error(twice.file) == .tensorDuplicated(tensor: "t", file: "f"))
    }

    @Test func aRealVocabularyIsRead() throws {
        let tokens = (0..<151_936).map { "token-\($0)" }
        let header = try read(
            GGUFBuilder(keys: [
                ("tokenizer.ggml.tokens", .strings(tokens)),
                ("tokenizer.ggml.token_type", .array(kind: 5, tokens.map { _ in .int32(1) })),
                ("tokenizer.ggml.merges", .strings(tokens.map { $0 + " merged" })),
            ]))
        #expect(header.metadata["tokenizer.ggml.tokens"]?.array?.last == "token-151935")
        #expect(header.metadata["tokenizer.ggml.merges"]?.array?.count == 151_936)
    }
}
