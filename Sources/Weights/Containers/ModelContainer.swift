import Basics

/// Where a checkpoint comes from: a directory or a file with all that `Checkpoint` needs.
protocol ModelContainer: Sendable {
    /// Absolute path.
    var path: String { get }
    /// The name under which the model is served unless told otherwise.
    var name: String { get }
    /// The model's configuration in Hugging Face's words: an object.
    var configuration: JSON { get }
    /// What goes into the digest beside the weight files.
    var digestedConfiguration: [UInt8] { get }
    /// How weights that are stored in parts are quantised; nil where the container has no such weights.
    var scheme: QuantisationScheme? { get throws(WeightsError) }
    /// The files with tensors, in a fixed order.
    var files: [WeightFile] { get }
    /// The tensors by the names that Hugging Face gives them.
    var placeOfTensor: [String: TensorPlace] { get }
    /// The content of a small file such as `tokenizer.json`; nil if there is none.
    func smallFile(_ name: String, bytesMax: Int) throws(WeightsError) -> [UInt8]?
    /// What the container calls a tensor, for people who look for it.
    func storedName(of tensor: String) -> String
}

/// Which file of a container holds a tensor, and what it is there.
struct TensorPlace: Sendable {
    let file: Int
    let description: TensorDescription
    /// In which order its rows and columns lie; nil: as the model has them.
    var order: StoredOrder?
    /// Whether dimensions of 1 are left out in the file, or may be.
    var omitsOnes = false

    /// Whether the tensor can be had with these dimensions.
    func has(_ shape: [Int]) -> Bool {
        description.shape == shape
            || omitsOnes && description.shape.filter { $0 != 1 } == shape.filter { $0 != 1 }
    }
}
