public import Basics
import Glibc

/// A model directory in the layout that Hugging Face publishes: `config.json`, and either `model.safetensors` or
/// `model.safetensors.index.json` with the files that it names. Opening reads headers and a few samples, no more; the
/// weights are read when a tensor is used.
public final class Checkpoint: Sendable {
    /// The model's configuration, `config.json`: always an object.
    public let configuration: JSON
    /// The directory's own name, under which the model is served unless told otherwise.
    public let name: String
    /// Absolute path of the directory.
    public let directory: String
    /// What the model is, see `ModelDigest.of`.
    public let digest: ModelDigest
    /// Size of all tensors together, in bytes.
    public let tensorBytes: UInt64
    private let files: [SafetensorsFile]
    private let placeOfTensor: [String: Place]

    private struct Place: Sendable {
        let file: Int
        let description: TensorDescription
    }

    private init(directory: String) throws(WeightsError) {
        self.directory = directory
        name = directory.split(separator: "/").last.map(String.init) ?? directory
        let configurationPath = directory + "/config.json"
        guard
            let bytes = try readSmallFile(configurationPath, bytesMax: Limits.Weights.configurationBytesMax)
        else { throw .fileMissing(file: configurationPath, neededBy: "the model") }
        configuration = try Checkpoint.parseConfiguration(bytes, path: configurationPath)
        let (files, placeOfTensor) = try Checkpoint.openFiles(directory)
        self.files = files
        self.placeOfTensor = placeOfTensor
        tensorBytes = placeOfTensor.values.reduce(0) { $0 + UInt64($1.description.byteCount) }
        digest = try ModelDigest.of(configuration: bytes, files: files)
    }

    /// Opens the model in the directory `path`.
    public static func open(_ path: String) throws(WeightsError) -> Checkpoint {
        guard let resolved = realpath(path, nil) else { throw .directoryMissing(path: path) }
        defer { free(resolved) }
        var information = stat()
        guard stat(resolved, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
            throw .directoryMissing(path: path)
        }
        return try Checkpoint(directory: String(cString: resolved))
    }

    /// Whether a file of the model holds the tensor `name`.
    public func contains(_ name: String) -> Bool { placeOfTensor[name] != nil }

    /// The names of all tensors, sorted.
    public var tensorNames: [String] { placeOfTensor.keys.sorted() }

    /// What the tensor `name` is, of whatever type; nil if there is none.
    public func describe(_ name: String) -> TensorDescription? { placeOfTensor[name]?.description }

    /// The tensor `name`, which must have the dimensions `shape`.
    public func tensor(_ name: String, shape: [Int]) throws(WeightsError) -> Tensor {
        guard let place = placeOfTensor[name] else { throw .tensorMissing(tensor: name, directory: directory) }
        let file = files[place.file]
        guard place.description.shape == shape else {
            throw .shapeMismatch(
                tensor: name, file: file.file.path, expected: shape, found: place.description.shape)
        }
        return try file.tensor(place.description)
    }

    /// The content of a small file of the directory such as `tokenizer.json`; nil if there is none.
    public func smallFile(_ name: String, bytesMax: Int) throws(WeightsError) -> [UInt8]? {
        guard isPlainFileName(name) else {
            throw .fileMalformed(file: name, reason: "not a plain file name")
        }
        return try readSmallFile(directory + "/" + name, bytesMax: bytesMax)
    }

    private static func parseConfiguration(_ bytes: [UInt8], path: String) throws(WeightsError) -> JSON {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
            throw .fileMalformed(file: path, reason: "\(error)")
        }
        guard json.object != nil else {
            throw .fileMalformed(file: path, reason: "an object is needed, a JSON \(json.kindName) found")
        }
        return json
    }

    private static func openFiles(_ directory: String) throws(WeightsError) -> ([SafetensorsFile], [String: Place]) {
        let indexPath = directory + "/model.safetensors.index.json"
        guard let bytes = try readSmallFile(indexPath, bytesMax: Limits.Weights.indexBytesMax) else {
            let file = try SafetensorsFile(path: directory + "/model.safetensors", neededBy: "the model")
            return ([file], file.header.tensors.mapValues { Place(file: 0, description: $0) })
        }
        let index = try SafetensorsIndex(parsing: bytes, path: indexPath)
        var files: [SafetensorsFile] = []
        var numberOfFile: [String: Int] = [:]
        for fileName in index.fileNames {
            numberOfFile[fileName] = files.count
            files.append(try SafetensorsFile(path: directory + "/" + fileName, neededBy: indexPath))
        }
        var placeOfTensor: [String: Place] = [:]
        placeOfTensor.reserveCapacity(index.fileOfTensor.count)
        for (tensor, fileName) in index.fileOfTensor {
            guard let number = numberOfFile[fileName], let description = files[number].header.tensors[tensor] else {
                throw .tensorNotInShard(tensor: tensor, file: directory + "/" + fileName, index: indexPath)
            }
            placeOfTensor[tensor] = Place(file: number, description: description)
        }
        return (files, placeOfTensor)
    }
}

/// Reads a whole file of at most `bytesMax` bytes; nil if there is none.
func readSmallFile(_ path: String, bytesMax: Int) throws(WeightsError) -> [UInt8]? {
    let file: MappedFile
    do throws(WeightsError) { file = try MappedFile(path: path, neededBy: "the model") } catch {
        if case .fileMissing = error { return nil }
        throw error
    }
    guard file.byteCount <= bytesMax else {
        throw .fileBeyondLimit(file: path, byteCount: file.byteCount, limit: bytesMax)
    }
    return try file.read(offset: 0, count: file.byteCount)
}
