import Weights

extension Checkpoint {
    /// The weight of a norm over `width` values, as it is multiplied with.
    func norm(_ name: String, width: Int, _ model: ModelDescription) throws(WeightsError) -> [Float] {
        try tensor(name, shape: [width]).floats().map { $0 + model.normOffset }
    }
}
