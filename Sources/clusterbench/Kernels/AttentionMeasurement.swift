import Basics
import Foundation
import Kernels
import OrderedCollections

/// Times attention of one row, as when one sequence generates, over keys and values that no cache holds.
struct AttentionMeasurement {
    let compute: Compute
    let format: KeyValueFormat
    let rounds: Int

    private static let headCount = 32
    private static let kvHeadCount = 4
    private static let dim = 128
    private static let blockPositions = Limits.Models.keyValueBlockPositions
    /// Keys and values of all layers together: more than any cache.
    private static let byteCount = 512 << 20

    private var layout: KeyValueLayout {
        KeyValueLayout(
            format: format, kvHeadCount: Self.kvHeadCount, keyDim: Self.dim, valueDim: Self.dim,
            blockPositions: Self.blockPositions)
    }

    /// Each round visits several layers, one after the other, as a token does.
    func measure(context: Int, ceilings: Ceilings) -> AttentionResult {
        let blocksPerLayer = (context + Self.blockPositions - 1) / Self.blockPositions
        let layers = max(1, Self.byteCount / (blocksPerLayer * layout.blockBytes))
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: layers * blocksPerLayer * layout.blockBytes, alignment: 1 << 21)
        defer { memory.deallocate() }
        // In every format a small number.
        memory.initializeMemory(as: UInt8.self, repeating: 0x11)
        let blocks = (0..<layers * blocksPerLayer).compactMap { index in
            memory.baseAddress.map { $0 + index * layout.blockBytes }
        }
        let query = Rows(capacity: 1, width: Self.headCount * Self.dim)
        for index in query.view.floats.indices { query.view.floats[index] = Float(index % 17) / 16 - 0.5 }
        let output = Rows(capacity: 1, width: query.width)
        var scratch = AttentionScratch()
        let seconds = blocks.withUnsafeBufferPointer { table -> Double in
            guard let base = table.baseAddress else { return 0 }
            return median(of: rounds) {
                let start = ContinuousClock.now
                for layer in 0..<layers {
                    let span = AttentionSpan(blocks: base + layer * blocksPerLayer, visiblePositions: context)
                    compute.attention(
                        queries: query.view, headCount: Self.headCount, spans: [span], layout: layout,
                        scale: 0.1, output: output.view, scratch: &scratch)
                }
                return (ContinuousClock.now - start) / .seconds(1)
            }
        }
        return AttentionResult(
            format: format, context: context, layerSeconds: seconds / Double(layers),
            layerBytes: context * layout.positionBytes,
            layerOperations: 4 * context * Self.headCount * Self.dim, ceilings: ceilings)
    }
}

/// One line of the table.
struct AttentionResult {
    let format: KeyValueFormat
    let context: Int
    let layerSeconds: Double
    let layerBytes: Int
    /// Multiplications and additions.
    let layerOperations: Int
    let ceilings: Ceilings

    private var gigabytesPerSecond: Double { Double(layerBytes) / layerSeconds / 1e9 }
    private var gigaoperationsPerSecond: Double { Double(layerOperations) / layerSeconds / 1e9 }

    static let header = "keys and values   context   us/layer   GB/s   of read   GFLOPS   of peak"

    var line: String {
        format.rawValue.padding(toLength: 15, withPad: " ", startingAt: 0)
            + String(
                format: " %9d %10.0f %6.1f %7.0f %% %8.0f %7.0f %%", context, layerSeconds * 1e6, gigabytesPerSecond,
                100 * gigabytesPerSecond / ceilings.readGigabytesPerSecond, gigaoperationsPerSecond,
                100 * gigaoperationsPerSecond / ceilings.floatGigaoperationsPerSecond)
    }

    var json: JSON {
        .object([
            "keyValueFormat": .string(format.rawValue), "context": .integer(Int64(context)),
            "microsecondsPerLayer": .double(layerSeconds * 1e6), "gigabytesPerSecond": .double(gigabytesPerSecond),
            "readGigabytesPerSecond": .double(ceilings.readGigabytesPerSecond),
            "gigaoperationsPerSecond": .double(gigaoperationsPerSecond),
            "peakGigaoperationsPerSecond": .double(ceilings.floatGigaoperationsPerSecond),
        ])
    }
}
