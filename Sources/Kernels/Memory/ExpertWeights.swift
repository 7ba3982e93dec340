/// The three projections of a gated feed-forward expert, and how they are joined:
/// `down(activation(gate(x), up(x)))`.
public struct ExpertWeights: Sendable {
    /// [intermediate x hidden], goes through the activation.
    public let gate: PackedMatrix
    /// [intermediate x hidden].
    public let up: PackedMatrix
    /// [hidden x intermediate].
    public let down: PackedMatrix
    /// What is added to the projections; nil if nothing is.
    public let biases: ExpertBiases?
    /// What joins gate and up.
    public let activation: GatedActivation

    /// Joins three projections whose shapes fit each other.
    public init(
        gate: PackedMatrix, up: PackedMatrix, down: PackedMatrix, biases: ExpertBiases? = nil,
        activation: GatedActivation = .silu
    ) {
        precondition(gate.rows == up.rows && gate.columns == up.columns, "gate and up differ in shape")
        precondition(down.columns == gate.rows, "down does not take what gate gives")
        if let biases {
            precondition(biases.width == gate.rows && biases.hiddenSize == down.rows, "one bias per row")
        }
        self.gate = gate
        self.up = up
        self.down = down
        self.biases = biases
        self.activation = activation
    }

    /// Size in memory of all of it.
    public var byteCount: Int { gate.byteCount + up.byteCount + down.byteCount + (biases?.byteCount ?? 0) }
}

/// What is added to the three projections of an expert, one number per row of each: to gate and up before the
/// activation, to down before the weight of the router.
///
/// `@unchecked Sendable`: written once, in the initialiser.
public final class ExpertBiases: @unchecked Sendable {
    /// Rows of gate and of up.
    let width: Int
    /// Rows of down.
    let hiddenSize: Int
    /// [gate][up][down].
    private let base: UnsafeMutablePointer<Float>

    /// Keeps copies; gate and up are of one length.
    public init(gate: [Float], up: [Float], down: [Float]) {
        precondition(gate.count == up.count, "gate and up differ in shape")
        (width, hiddenSize) = (gate.count, down.count)
        base = .allocate(capacity: max(1, 2 * width + hiddenSize))
        for (index, bias) in (gate + up + down).enumerated() { (base + index).initialize(to: bias) }
    }

    deinit { base.deallocate() }

    var gate: UnsafePointer<Float> { UnsafePointer(base) }
    var up: UnsafePointer<Float> { UnsafePointer(base + width) }
    var down: UnsafePointer<Float> { UnsafePointer(base + 2 * width) }

    /// Size in memory.
    public var byteCount: Int { Self.byteCount(width: width, hiddenSize: hiddenSize) }

    /// Size in memory of the biases of an expert of so many rows.
    public static func byteCount(width: Int, hiddenSize: Int) -> Int {
        (2 * width + hiddenSize) * MemoryLayout<Float>.size
    }
}
