import Basics
import Kernels

/// A model directory in the layout that Hugging Face publishes: `config.json`, and either `model.safetensors` or
/// `model.safetensors.index.json` with the files that it names.
struct SafetensorsDirectory: ModelContainer {
    let path: String
    let configuration: JSON
    let digestedConfiguration: [UInt8]
    let files: [WeightFile]
    let placeOfTensor: [String: TensorPlace]

    var scheme: QuantisationScheme? {
        get throws(WeightsError) { try QuantisationScheme(configuration) }
    }

    /// The directory's own name.
    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    init(path: String) throws(WeightsError) {
        self.path = path
        let configurationPath = path + "/config.json"
        guard
            let bytes = try readSmallFile(configurationPath, bytesMax: Limits.Weights.configurationBytesMax)
        else { throw .fileMissing(file: configurationPath, neededBy: "the model") }
        configuration = try Self.parseConfiguration(bytes, path: configurationPath)
        digestedConfiguration = bytes
        (files, placeOfTensor) = try Self.openFiles(path)
    }

    func smallFile(_ name: String, bytesMax: Int) throws(WeightsError) -> [UInt8]? {
        for place in SmallFile.paths(of: name) {
            if let bytes = try readSmallFile(path + "/" + place, bytesMax: bytesMax) { return bytes }
        }
        return nil
    }

    func storedName(of tensor: String) -> String { tensor }

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

    private static func openFiles(_ directory: String) throws(WeightsError) -> ([WeightFile], [String: TensorPlace]) {
        let indexPath = directory + "/model.safetensors.index.json"
        guard let bytes = try readSmallFile(indexPath, bytesMax: Limits.Weights.indexBytesMax) else {
            let file = try WeightFile(safetensors: directory + "/model.safetensors", neededBy: "the model")
            return ([file], file.tensors.mapValues { TensorPlace(file: 0, description: $0) })
        }
        let index = try SafetensorsIndex(parsing: bytes, path: indexPath)
        var files: [WeightFile] = []
        var numberOfFile: [String: Int] = [:]
        for fileName in index.fileNames {
            numberOfFile[fileName] = files.count
            files.append(try WeightFile(safetensors: directory + "/" + fileName, neededBy: indexPath))
        }
        var placeOfTensor: [String: TensorPlace] = [:]
        placeOfTensor.reserveCapacity(index.fileOfTensor.count)
        for (tensor, fileName) in index.fileOfTensor {
            guard let number = numberOfFile[fileName], let description = files[number].tensors[tensor] else {
                throw .tensorNotInShard(tensor: tensor, file: directory + "/" + fileName, index: indexPath)
            }
            placeOfTensor[tensor] = TensorPlace(file: number, description: description)
        }
        return (files, placeOfTensor)
    }
}

extension WeightFile {
    /// Opens a safetensors file: 8 bytes of header length (little-endian), a JSON header, then the tensors' bytes.
    init(safetensors path: String, neededBy: String) throws(WeightsError) {
        let file = try MappedFile(path: path, neededBy: neededBy)
        guard file.byteCount >= 8 else {
            throw .fileTruncated(file: path, expectedByteCount: 8, foundByteCount: file.byteCount)
        }
        let length = try file.read(offset: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(Limits.Weights.headerBytesMax) else {
            throw .headerBeyondLimit(file: path, byteCount: length, limit: Limits.Weights.headerBytesMax)
        }
        let dataStart = 8 + Int(length)
        guard file.byteCount >= dataStart else {
            throw .fileTruncated(file: path, expectedByteCount: dataStart, foundByteCount: file.byteCount)
        }
        let header = try SafetensorsHeader(
            parsing: file.read(offset: 8, count: Int(length)), dataByteCount: file.byteCount - dataStart, file: path)
        self.init(
            file: file, digestName: path.split(separator: "/").last.map(String.init) ?? "",
            headerRange: 8..<dataStart, dataStart: dataStart, tensors: header.tensors, formats: WeightFormat.plain)
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
