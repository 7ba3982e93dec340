public import Basics
import Glibc
public import Kernels

/// A model's files: a directory as Hugging Face publishes it (`config.json` and safetensors), or a GGUF file, which may
/// be split into several. Both look the same from here: Hugging Face's names of tensors, keys of the configuration and
/// small files. Opening reads headers and a few samples, no more; the weights are read when a tensor is used.
public final class Checkpoint: Sendable {
    /// What the model is, see `ModelDigest.of`.
    public let digest: ModelDigest
    /// Size of all tensors together, in bytes; those of types that are not known are not counted.
    public let tensorBytes: UInt64
    private let container: any ModelContainer
    private let finder: WeightFinder?
    private let names: Set<String>
    private let packedWeights: PackedWeights?
    private let placement: WeightPlacement

    private init(
        _ container: any ModelContainer, cache: WeightCache?, placement: WeightPlacement
    ) throws(WeightsError) {
        self.container = container
        self.placement = placement
        finder = try container.scheme.map {
            WeightFinder(
                places: container.placeOfTensor, files: container.files, scheme: $0, model: container.path)
        }
        let stored = container.placeOfTensor.keys
        names = Set(stored).union(finder == nil ? [] : stored.compactMap(WeightFinder.weightName))
        tensorBytes = container.placeOfTensor.values.reduce(0) { $0 + UInt64($1.description.byteCount) }
        digest = try ModelDigest.of(configuration: container.digestedConfiguration, files: container.files)
        packedWeights = cache.map { [digest] in PackedWeights(cache: $0, digest: digest, placement: placement) }
    }

    /// Opens the model in the directory or the GGUF file `path`; `cache` has packed weights of earlier starts, and
    /// `placement` says where packed weights go.
    public static func open(
        _ path: String, cache: WeightCache? = nil, placement: WeightPlacement = .anywhere
    ) throws(WeightsError) -> Checkpoint {
        var information = stat()
        guard stat(path, &information) == 0 else { throw .modelMissing(path: path) }
        if information.st_mode & S_IFMT == S_IFDIR {
            return try Checkpoint(
                SafetensorsDirectory(path: try absolute(path)), cache: cache, placement: placement)
        }
        return try Checkpoint(GGUFModel(path: try absoluteFile(path)), cache: cache, placement: placement)
    }

    /// The model's configuration, `config.json`: always an object.
    public var configuration: JSON { container.configuration }

    /// The name of the directory or the file, under which the model is served unless told otherwise.
    public var name: String { container.name }

    /// Absolute path of the directory or the file.
    public var path: String { container.path }

    /// Whether a file of the model holds the tensor `name`, or a weight of this name in parts.
    public func contains(_ name: String) -> Bool { names.contains(name) }

    /// The names of all tensors, and those of weights whose parts have other names, sorted.
    public var tensorNames: [String] { names.sorted() }

    /// What the tensor `name` is, of whatever type; nil if there is none.
    public func describe(_ name: String) -> TensorDescription? { container.placeOfTensor[name]?.description }

    /// The tensor `name`, which must have the dimensions `shape`; a quantised weight of this name and shape, however it
    /// is stored (see `WeightFinder`).
    public func tensor(_ name: String, shape: [Int]) throws(WeightsError) -> Tensor {
        if let weight = try finder?.find(name, shape: shape) {
            return Tensor(
                name: name, shape: shape, source: .composed(weight), packedWeights: packedWeights,
                placement: placement)
        }
        guard let place = container.placeOfTensor[name] else {
            throw .tensorMissing(tensor: container.storedName(of: name), model: path)
        }
        let file = container.files[place.file]
        guard place.has(shape) else {
            throw .shapeMismatch(
                tensor: place.description.name, file: file.file.path, expected: shape, found: place.description.shape)
        }
        var tensor = try file.tensor(place, shape: shape, as: name)
        tensor.packedWeights = packedWeights
        tensor.placement = placement
        return tensor
    }

    /// The whole numbers of the tensor `name`, which must have the dimensions `shape`; each from 0 to below `limit`.
    public func numbers(_ name: String, shape: [Int], below limit: Int) throws(WeightsError) -> [Int32] {
        guard let place = container.placeOfTensor[name] else {
            throw .tensorMissing(tensor: container.storedName(of: name), model: path)
        }
        return try container.files[place.file].numbers(place, shape: shape, below: limit)
    }

    /// To be called when a process has its weights: tells the cache's events, and writes what was packed since the last
    /// call, on a thread of its own. `waits`: returns when it is written.
    public func keepPackedWeights(waits: Bool = false) { packedWeights?.keep(waits: waits) }

    /// The content of a small file such as `tokenizer.json`; nil if the model has none. What a GGUF file says in other
    /// ways comes in the same form.
    public func smallFile(_ name: String, bytesMax: Int) throws(WeightsError) -> [UInt8]? {
        guard isPlainFileName(name) else {
            throw .fileMalformed(file: name, reason: "not a plain file name")
        }
        return try container.smallFile(name, bytesMax: bytesMax)
    }

    private static func absolute(_ path: String) throws(WeightsError) -> String {
        guard let resolved = realpath(path, nil) else { throw .modelMissing(path: path) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// A link to a file is not followed: its own name says which part of a split model it is, and the other parts are
    /// links beside it, as in Hugging Face's cache.
    private static func absoluteFile(_ path: String) throws(WeightsError) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let name = parts.last.map(String.init) ?? path
        let directory = parts.count > 1 ? parts.dropLast().joined(separator: "/") + "/" : "."
        return try absolute(directory) + "/" + name
    }
}
