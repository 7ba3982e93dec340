import Basics
import Kernels
import Weights

/// Headers and an index; the lowest bit of the first byte says which, the others how many bytes of data follow.
let seeds: [String: [UInt8]] = [
    "empty": [128] + Array("{}".utf8),
    "escaped": [128] + Array(#"{"\u0061\n\ud83d\ude00":{"data_offsets":[0,1],"dtype":"U8","shape":[1]}}"#.utf8),
    "header": [128]
        + Array(
            """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},
            "b":{"dtype":"I64","shape":[],"data_offsets":[16,24]},"c":{"dtype":"NEW","shape":[9],
            "data_offsets":[24,25]},"d":{"dtype":"F32","shape":[0,4],"data_offsets":[64,64]}}
            """.utf8),
    "index": [1]
        + Array(
            #"{"metadata":{"total_size":12},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}"#.utf8),
    "numbers": [254] + Array(#"{"a":{"dtype":"F16","shape":[1.0,2e0],"data_offsets":[-0,4]}}"#.utf8),
]

/// The bytes are a header or an index. Neither may trap, and what is accepted is what the readers of tensors rely on.
func fuzz(choice: UInt8, bytes: [UInt8]) {
    do throws(WeightsError) {
        if choice & 1 == 0 {
            let dataByteCount = Int(choice) >> 1
            check(try SafetensorsHeader(parsing: bytes, dataByteCount: dataByteCount, file: "f"), dataByteCount)
        } else {
            check(try SafetensorsIndex(parsing: bytes, path: "i"))
        }
    } catch {
        insist(!error.description.isEmpty, "an error without a description")
    }
}

private func check(_ header: SafetensorsHeader, _ dataByteCount: Int) {
    for (name, tensor) in header.tensors {
        let place = tensor.dataRange
        insist(tensor.name == name, "\(name) is described as \(tensor)")
        insist(place.lowerBound >= 0 && place.upperBound <= dataByteCount, "\(tensor) is not in \(dataByteCount) bytes")
        insist(place.count == tensor.byteCount, "\(tensor) has a place of \(place.count) bytes")
        insist(tensor.shape.count <= Limits.Weights.dimensionsMax, "\(tensor) has too many dimensions")
        insist(tensor.shape.allSatisfy { $0 >= 0 }, "\(tensor) has a negative dimension")
        guard let format = tensor.format else { continue }
        // Every partial product of what fits is small, unless a dimension is 0.
        let count = tensor.shape.contains(0) ? 0 : tensor.shape.reduce(1, *)
        insist(tensor.byteCount == format.byteCount(of: count), "\(tensor) has another size")
    }
    let places = header.tensors.values.map(\.dataRange).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
    for (left, right) in zip(places, places.dropFirst()) {
        insist(left.upperBound <= right.lowerBound, "\(left) and \(right) overlap")
    }
}

private func check(_ index: SafetensorsIndex) {
    insist(index.fileNames.count <= Limits.Weights.shardFilesMax, "\(index.fileNames.count) files")
    for name in index.fileOfTensor.values {
        insist(!name.isEmpty && name != "." && name != "..", "a file named '\(name)'")
        insist(!name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") }, "a file named '\(name)'")
    }
}
