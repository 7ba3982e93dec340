import Basics
import OrderedCollections

/// `model.safetensors.index.json`: which file holds which tensor.
public struct SafetensorsIndex: Sendable {
    /// File name by tensor name.
    public let fileOfTensor: [String: String]

    /// The files, each once, sorted.
    public var fileNames: [String] { Set(fileOfTensor.values).sorted() }

    /// Parses and checks an index; `path` is named in errors.
    public init(parsing bytes: [UInt8], path: String) throws(WeightsError) {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: bytes) } catch {
            throw .fileMalformed(file: path, reason: "\(error)")
        }
        guard let map = json["weight_map"]?.object else {
            throw .fileMalformed(file: path, reason: "weight_map must be an object of tensor and file names")
        }
        var fileOfTensor: [String: String] = [:]
        fileOfTensor.reserveCapacity(map.count)
        for (tensor, value) in map {
            guard let name = value.string else {
                throw .fileMalformed(
                    file: path, reason: "weight_map: tensor \(tensor) needs a file name, a JSON \(value.kindName) found"
                )
            }
            guard isPlainFileName(name) else {
                throw .fileMalformed(
                    file: path, reason: "weight_map: tensor \(tensor) is placed in \"\(name)\", not a plain file name")
            }
            fileOfTensor[tensor] = name
        }
        self.fileOfTensor = fileOfTensor
        let count = fileNames.count
        guard count <= Limits.Weights.shardFilesMax else {
            throw .shardFilesBeyondLimit(index: path, count: count, limit: Limits.Weights.shardFilesMax)
        }
    }
}

/// Whether a name stays within its directory.
func isPlainFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0)
}
