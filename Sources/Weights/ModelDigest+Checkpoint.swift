import Basics
import COpenSSL

extension ModelDigest {
    /// What a model is, so that processes with different files never compute together: SHA-256 over `config.json`,
    /// and of each weight file (in the order of their names) its size, its header and a few samples of its tensors.
    /// A GGUF file has its configuration in the header, and its name does not matter.
    ///
    /// It is cheap for 600 GB and tells models, fine-tunes and formats apart, because those differ all over. It is
    /// not a hash of every weight: single flipped bits on a disk go unnoticed.
    static func of(configuration: [UInt8], files: [WeightFile]) throws(WeightsError) -> ModelDigest {
        let hash = try SHA256()
        try hash.append("colony model digest 1")
        try hash.append(configuration)
        for file in files {
            try hash.append(file.digestName)
            try hash.append(String(file.file.byteCount))
            try hash.append(file.file.read(offset: file.headerRange.lowerBound, count: file.headerRange.count))
            for range in samples(of: file.dataByteCount) {
                try hash.append(file.file.read(offset: file.dataStart + range.lowerBound, count: range.count))
            }
        }
        return ModelDigest(hexadecimal: try hash.finish())
    }

    /// The places of the samples: spread evenly, the first and the last bytes included.
    static func samples(of byteCount: Int) -> [Range<Int>] {
        let size = Limits.Weights.digestSampleBytes
        let count = Limits.Weights.digestSamplesPerFile
        guard byteCount > size * count else { return byteCount > 0 ? [0..<byteCount] : [] }
        let step = (byteCount - size) / (count - 1)
        return (0..<count).map { number in
            let begin = number == count - 1 ? byteCount - size : number * step
            return begin..<begin + size
        }
    }
}

/// SHA-256 of a list of byte strings; each goes in with its length, so that no two lists give the same input.
private final class SHA256 {
    private let context: OpaquePointer

    init() throws(WeightsError) {
        guard let context = EVP_MD_CTX_new() else { throw SHA256.failure }
        self.context = context
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw SHA256.failure }
    }

    deinit { EVP_MD_CTX_free(context) }

    func append(_ bytes: [UInt8]) throws(WeightsError) {
        var length = UInt64(bytes.count).littleEndian
        guard EVP_DigestUpdate(context, &length, 8) == 1, EVP_DigestUpdate(context, bytes, bytes.count) == 1 else {
            throw SHA256.failure
        }
    }

    func append(_ text: String) throws(WeightsError) { try append(Array(text.utf8)) }

    /// The digest as 64 lower-case hexadecimal digits.
    func finish() throws(WeightsError) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        guard EVP_DigestFinal_ex(context, &digest, nil) == 1 else { throw SHA256.failure }
        let digits = Array("0123456789abcdef")
        return String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    private static var failure: WeightsError {
        .systemCallFailed(call: "SHA-256 of the model", file: "libcrypto", code: 0)
    }
}
