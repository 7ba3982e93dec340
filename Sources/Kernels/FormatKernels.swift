import CKernels

typealias LinearKernel = @convention(c) (UnsafePointer<colony_linear_arguments>, Int, Int) -> Void
typealias AttentionScoresKernel = @convention(c) (UnsafePointer<colony_attention_arguments>, Int, Int) -> Void
typealias AttentionWeightsKernel = @convention(c) (UnsafePointer<colony_attention_arguments>, Int) -> Void
typealias IndexScoresKernel = @convention(c) (UnsafePointer<colony_index_arguments>, Int, Int) -> Void
typealias StoreKeyValueKernel =
    @convention(c) (
        UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<colony_key_value_layout>, UnsafeMutableRawPointer, Int
    ) -> Void
typealias RouterScoresKernel = @convention(c) (UnsafeMutablePointer<Float>, Int) -> Void
typealias StoreResultKernel =
    @convention(c) (UnsafePointer<Float>, UnsafeMutableRawPointer, Int, Int, Int) -> Void
typealias AddKernel =
    @convention(c) (UnsafePointer<UnsafeRawPointer>, Int, UnsafeMutablePointer<Float>, Int) -> Void
typealias DecodeKernel = @convention(c) (UnsafeRawPointer, UnsafeMutablePointer<Float>, Int) -> Void

/// The functions of one instruction set that there are one of for each format, or for each way of scoring.
struct FormatKernels {
    private let plain: [LinearKernel]
    private let blocks: [LinearKernel]
    private let exactBlocks: [LinearKernel]
    private let e4m3: LinearKernel
    private let plainDecode: [DecodeKernel]

    private let attentionKernels: [AttentionKernels]
    private let indexKernels: [IndexScoresKernel]
    private let storeKernels: [StoreKeyValueKernel]
    private let scoresKernels: [RouterScoresKernel]
    private let storeResultKernels: [StoreResultKernel]
    private let addKernels: [AddKernel]

    init(_ table: colony_kernel_table) {
        plain = elements(of: table.linear)
        blocks = elements(of: table.linear_blocks)
        exactBlocks = elements(of: table.linear_blocks_exact)
        e4m3 = table.linear_e4m3
        plainDecode = elements(of: table.decode)
        let scores: [AttentionScoresKernel] = elements(of: table.attention_scores)
        let weights: [AttentionWeightsKernel] = elements(of: table.attention_weights)
        let values: [AttentionScoresKernel] = elements(of: table.attention_values)
        attentionKernels = scores.indices.map {
            AttentionKernels(scores: scores[$0], weights: weights[$0], values: values[$0])
        }
        indexKernels = elements(of: table.index_scores)
        storeKernels = elements(of: table.store_key_value)
        scoresKernels = elements(of: table.router_scores)
        storeResultKernels = elements(of: table.store_result)
        addKernels = elements(of: table.add)
    }

    /// The linear layer of `format`; where it takes integers there is one for each kind of activations.
    func linear(_ format: MatrixFormat, _ activations: ActivationFormat) -> LinearKernel {
        let index: Int
        switch format {
        case .grouped(let groups):
            guard let block = groups.tableIndex else { return e4m3 }
            index = block
        case .stored(let stored):
            if stored.isPlain { return plain[stored.tableIndex] }
            index = stored.tableIndex
        }
        return activations == .int8 && format.takesIntegers ? blocks[index] : exactBlocks[index]
    }

    /// The steps of attention over keys and values of `format`.
    func attention(_ format: KeyValueFormat) -> AttentionKernels { attentionKernels[format.tableIndex] }

    /// What scores positions by index keys of `format`.
    func indexScores(_ format: KeyValueFormat) -> IndexScoresKernel { indexKernels[format.tableIndex] }

    /// What writes keys and values of `format`.
    func storeKeyValue(_ format: KeyValueFormat) -> StoreKeyValueKernel { storeKernels[format.tableIndex] }

    /// What turns a router's logits into scores.
    func routerScores(_ scoring: RouterScoring) -> RouterScoresKernel { scoresKernels[scoring.tableIndex] }

    /// What writes an expert's row in the form of `format`.
    func storeResult(_ format: ResultFormat) -> StoreResultKernel { storeResultKernels[format.tableIndex] }

    /// What adds rows of `format`.
    func add(_ format: ResultFormat) -> AddKernel { addKernels[format.tableIndex] }

    /// The conversion of a plain format to f32.
    func decode(_ format: WeightFormat) -> DecodeKernel { plainDecode[format.tableIndex] }
}

/// The three steps of attention.
struct AttentionKernels {
    /// Scores of a range of blocks.
    let scores: AttentionScoresKernel
    /// Weights of one head, from its scores.
    let weights: AttentionWeightsKernel
    /// A range of the output's dimensions.
    let values: AttentionScoresKernel
}

/// The elements of a C array, which Swift shows as a tuple.
private func elements<Tuple, Element>(of tuple: Tuple) -> [Element] {
    withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: Element.self)) }
}
