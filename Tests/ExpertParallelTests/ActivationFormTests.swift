import Basics
import ExpertParallel
import Kernels
import Models
import TestSupport
import Testing
import Transport
import Wire

/// Rows travel as the experts' kernels take them, and no bit depends on how they travel.
@Suite struct ActivationFormTests {
    /// Experts with random weights in blocks.
    struct Shape: CustomTestStringConvertible {
        let format: WeightFormat
        let hidden: Int
        let width: Int
        var hasPlainExpert = false

        var testDescription: String { "\(format.rawValue) \(hidden) x \(width)" }
    }

    static let shapes = [
        Shape(format: .q80, hidden: 288, width: 96), Shape(format: .q40, hidden: 32, width: 32),
        Shape(format: .q41, hidden: 96, width: 160), Shape(format: .q51, hidden: 608, width: 64),
        Shape(format: .mxfp4, hidden: 352, width: 64), Shape(format: .q4K, hidden: 256, width: 512),
        Shape(format: .q6K, hidden: 768, width: 256),
    ]
    static let expertCount = 6
    static let layer = LayerIndex(0)

    @Test(arguments: shapes, [1, 3, 40]) func rowsAsIntegersGiveTheBitsOfFloats(shape: Shape, rows: Int) throws {
        let compute = try Compute(instructionSet: .best, threadCount: 2)
        let table = try Self.table(shape)
        let current = try WorkerLink(table: table, compute: compute, hiddenSize: shape.hidden)
        defer { current.stop() }
        let older = try WorkerLink(table: table, compute: compute, hiddenSize: shape.hidden, versions: 1...2)
        defer { older.stop() }
        let local = LocalExpertBackend(
            table: table, compute: compute, hiddenSize: shape.hidden, results: .f32)
        for seed in 0..<3 as Range<UInt64> {
            let (input, routing) = Self.work(rows: rows, shape, seed: seed)
            let expected = try local.sum(input, routing)
            var bytes: [Int] = []
            for worker in [current, older] {
                let before = worker.link.statistics.bytesSent
                let sum = try Self.backend(worker, compute).sum(input, routing)
                #expect(sum == expected, "version \(worker.link.version)")
                bytes.append(Int(worker.link.statistics.bytesSent - before))
            }
            #expect(bytes[1] - bytes[0] == rows * shape.hidden / 32 * (128 - 36))
        }
    }

    /// The worker was started with 8-bit activations; the coordinator's word counts.
    @Test(arguments: shapes) func aWorkerFollowsEachCoordinator(shape: Shape) throws {
        let compute = try Compute(instructionSet: .best, threadCount: 2)
        let table = try Self.table(shape)
        let worker = try WorkerLink(table: table, compute: compute, hiddenSize: shape.hidden)
        defer { worker.stop() }
        let (input, routing) = Self.work(rows: 5, shape, seed: 1)
        var sums: [[UInt32]] = []
        for activations in [ActivationFormat.f32, .int8, .f32] {
            let compute = compute.using(activations)
            let local = LocalExpertBackend(
                table: table, compute: compute, hiddenSize: shape.hidden, results: .f32)
            sums.append(try Self.backend(worker, compute).sum(input, routing))
            #expect(try sums.last == local.sum(input, routing), "\(activations)")
        }
        #expect(sums[0] != sums[1] && sums[0] == sums[2])
    }

    @Test func anOlderWorkerIsNotAskedForFloats() throws {
        let shape = Self.shapes[0]
        let compute = try Compute(instructionSet: .best, threadCount: 1, activations: .f32)
        let worker = try WorkerLink(
            table: try Self.table(shape), compute: compute, hiddenSize: shape.hidden, versions: 1...2)
        defer { worker.stop() }
        let (input, routing) = Self.work(rows: 2, shape, seed: 1)
        let error = #expect(throws: ExpertBackendError.self) {
            try Self.backend(worker, compute).sum(input, routing)
        }
        #expect(error?.description.contains("activationForm is float32, too much for version 2") == true)
    }

    @Test func layersWithAPlainExpertGetFloats() throws {
        let shape = Shape(format: .q80, hidden: 96, width: 64, hasPlainExpert: true)
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        let table = try Self.table(shape)
        let worker = try WorkerLink(table: table, compute: compute, hiddenSize: shape.hidden)
        defer { worker.stop() }
        let local = LocalExpertBackend(
            table: table, compute: compute, hiddenSize: shape.hidden, results: .f32)
        let (input, routing) = Self.work(rows: 30, shape, seed: 1)
        #expect(
            try Self.backend(worker, compute, inBlocks: false).sum(input, routing) == local.sum(input, routing))
        // A coordinator that is wrong about the weights is told so, and the link lives on.
        let error = #expect(throws: ExpertBackendError.self) {
            try Self.backend(worker, compute).sum(input, routing)
        }
        #expect(error?.description.contains("experts of layer 0 in F32 and F32 take f32") == true, "\(error as Any)")
        #expect(worker.link.isOpen)
    }

    /// Whatever bytes come as codes and scales: an answer of the right size, and nothing lasting.
    @Test func oddScalesDoNoHarm() throws {
        let shape = Self.shapes[0]
        let compute = try Compute(instructionSet: .best, threadCount: 2)
        let table = try Self.table(shape)
        let worker = try WorkerLink(table: table, compute: compute, hiddenSize: shape.hidden)
        defer { worker.stop() }
        let layout = try DispatchLayout(
            layer: Self.layer, tokenCount: 1, pairCount: 1, width: shape.hidden, rowForm: .int8Blocks)
        for scale in [Float.nan, .infinity, -.infinity, -1, -0.0, .greatestFiniteMagnitude, .leastNonzeroMagnitude] {
            let frame = FrameBuffer(payloadByteCount: layout.payloadByteCount)
            frame.withPayload { payload in
                let places = layout.prepare(payload)
                places.pairs[0] = DispatchPair(tokenRow: 0, expert: ExpertIndex(1), weight: 1)
                places.rows.initializeMemory(as: UInt8.self, repeating: 0x80)
                for block in 0..<shape.hidden / 32 {
                    places.rows.storeBytes(of: scale, toByteOffset: shape.hidden + block * 4, as: Float.self)
                }
            }
            #expect(try worker.refusal(of: frame) == nil, "\(scale)")
        }
        let local = LocalExpertBackend(
            table: table, compute: compute, hiddenSize: shape.hidden, results: .f32)
        let (input, routing) = Self.work(rows: 3, shape, seed: 2)
        #expect(try Self.backend(worker, compute).sum(input, routing) == local.sum(input, routing))
    }

    private static func backend(
        _ worker: WorkerLink, _ compute: Compute, inBlocks: Bool = true
    ) -> RemoteExpertBackend {
        worker.backend(
            compute: compute, expertCounts: [layer: expertCount], layersInBlocks: inBlocks ? [layer] : [])
    }

    private static func work(rows: Int, _ shape: Shape, seed: UInt64) -> (input: Rows, routing: Routing) {
        WorkerLink.work(rows: rows, width: shape.hidden, experts: expertCount, perToken: 3, seed: seed)
    }

    private static func table(_ shape: Shape) throws -> ExpertTable {
        var random = SeededGenerator(seed: 7)
        var weights: [ShardID: ExpertWeights] = [:]
        for expert in 0..<expertCount {
            let format = shape.hasPlainExpert && expert == 0 ? WeightFormat.f32 : shape.format
            func matrix(_ rows: Int, _ columns: Int) throws -> PackedMatrix {
                try Self.matrix(format, rows: rows, columns: columns, &random)
            }
            weights[.expert(layer: layer, expert: ExpertIndex(expert))] = ExpertWeights(
                gate: try matrix(shape.width, shape.hidden), up: try matrix(shape.width, shape.hidden),
                down: try matrix(shape.hidden, shape.width))
        }
        return ExpertTable(epoch: PlacementEpoch(1), weights: weights)
    }

    /// Random bits, but factors that are small numbers.
    private static func matrix(
        _ format: WeightFormat, rows: Int, columns: Int, _ random: inout SeededGenerator
    ) throws -> PackedMatrix {
        var bytes = (0..<rows * format.byteCount(of: columns)).map { _ in UInt8.random(in: 0...255, using: &random) }
        let factors: [Int] =
            switch format {
            case .q41, .q51, .q4K: [1, 3]
            case .q6K: [209]
            case .mxfp4: [0]
            default: [format.bytesPerBlock == 4 ? 3 : 1]
            }
        for block in stride(from: 0, to: bytes.count, by: format.bytesPerBlock) {
            // The high byte of an f16 or f32 of about 1/100, or the exponent of a power of two.
            for factor in factors { bytes[block + factor] = format == .mxfp4 ? 120 : format == .f32 ? 0x3c : 0x20 }
        }
        return try bytes.withUnsafeBytes { (source) throws(KernelError) in
            try PackedMatrix(packing: source, rows: rows, columns: columns, format: format)
        }
    }
}
