import Basics
import Glibc
import Kernels
import Synchronization

/// A GGUF file, or the files that a GGUF model is split into, as a container like any other.
final class GGUFModel: ModelContainer {
    let path: String
    let name: String
    let configuration: JSON
    let files: [WeightFile]
    let placeOfTensor: [String: TensorPlace]
    private let architecture: GGUFArchitecture
    private let small: Mutex<SmallFiles>

    /// The files that a directory would have beside its weights. Made when the first is asked for (a worker never
    /// does); what they are made from goes then.
    private enum SmallFiles {
        case made([String: [UInt8]])
        case metadata(GGUFMetadata)
    }

    /// Every tensor holds all that it needs.
    var scheme: QuantisationScheme? { nil }

    /// The headers say it all.
    var digestedConfiguration: [UInt8] { [] }

    init(path: String) throws(WeightsError) {
        let parts = try GGUFParts(path: path)
        self.path = path
        let metadata = parts.metadata
        architecture = try GGUFArchitecture.named(by: metadata, file: path)
        files = parts.files
        var reader = GGUFReader(file: path, architecture: architecture.name, metadata: metadata)
        reader.storedNames = Set(parts.files.flatMap(\.tensors.keys))
        reader.tensors = try architecture.places(in: parts.files, reader)
        placeOfTensor = reader.tensors
        configuration = try architecture.wholeConfiguration(reader)
        name = Self.name(path: path, metadata)
        small = Mutex(.metadata(metadata))
    }

    func storedName(of tensor: String) -> String { architecture.storedName(of: tensor) }

    func smallFile(_ name: String, bytesMax: Int) throws(WeightsError) -> [UInt8]? {
        let bytes = name == "config.json" ? Array(configuration.serialised(.indented).utf8) : try tokenizerFile(name)
        guard let bytes else { return nil }
        guard bytes.count <= bytesMax else {
            throw .fileBeyondLimit(file: "\(path) (as \(name))", byteCount: bytes.count, limit: bytesMax)
        }
        return bytes
    }

    private func tokenizerFile(_ name: String) throws(WeightsError) -> [UInt8]? {
        try small.withLock { small throws(WeightsError) in
            switch small {
            case .made(let files): return files[name]
            case .metadata(let metadata):
                let files = try GGUFTokenizer.files(from: metadata)
                small = .made(files)
                return files[name]
            }
        }
    }

    /// The file's name without suffix and number of the part. Files that are named by a hash have no suffix; for those
    /// it is the name within.
    private static func name(path: String, _ metadata: GGUFMetadata) -> String {
        let fileName = path.split(separator: "/").last.map(String.init) ?? path
        if let part = GGUFPartName(fileName) { return part.stem }
        if fileName.hasSuffix(".gguf"), fileName.utf8.count > 5 { return String(fileName.dropLast(5)) }
        let words = metadata["general.name"]?.string?.split(whereSeparator: \.isWhitespace) ?? []
        let name = words.joined(separator: "-")
        return name.isEmpty || name.utf8.count > Limits.GGUF.modelNameBytesMax ? fileName : name
    }
}

extension WeightFile {
    /// Opens one GGUF file. Its header's length is not written anywhere, so it is read in growing pieces.
    static func gguf(
        _ path: String, digestName: String, neededBy: String
    ) throws(WeightsError) -> (file: WeightFile, metadata: GGUFMetadata) {
        let file = try MappedFile(path: path, neededBy: neededBy)
        let header = try readHeader(of: file)
        let weights = WeightFile(
            file: file, digestName: digestName, headerRange: 0..<header.byteCount, dataStart: header.dataStart,
            tensors: header.tensors, formats: WeightFormat.allCases)
        return (weights, header.metadata)
    }

    private static func readHeader(of file: MappedFile) throws(WeightsError) -> GGUFHeader {
        let limit = Limits.GGUF.headerBytesMax
        var count = min(file.byteCount, Limits.GGUF.headerReadBytes)
        while true {
            let bytes = try file.read(offset: 0, count: count)
            do throws(WeightsError) {
                return try GGUFHeader(parsing: bytes, fileByteCount: file.byteCount, file: file.path)
            } catch {
                guard case .fileTruncated(_, let needed, count) = error, count < file.byteCount else { throw error }
                guard needed <= limit else {
                    throw .headerBeyondLimit(file: file.path, byteCount: UInt64(needed), limit: limit)
                }
                count = min(file.byteCount, limit, max(needed, 4 * count))
            }
        }
    }
}
