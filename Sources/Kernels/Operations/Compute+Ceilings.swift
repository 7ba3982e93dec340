import CKernels

/// What this machine can do at most with the instructions in use: benchmarks give results as shares of it.
extension Compute {
    /// Integer operations (a multiplication and an addition count two) of `integerOperations(rounds: 1)` per thread.
    public static let integerOperationsPerRound = 12 * 128
    /// Floating-point operations of `floatOperations(rounds: 1)` per thread.
    public static let floatOperationsPerRound = 12 * 32

    /// Reads all of `bytes` once, on every thread a part. The answer means nothing; it keeps the reading from being
    /// optimised away.
    @discardableResult
    public func readAll(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let base = bytes.baseAddress else { return 0 }
        let results = Rows(capacity: bytes.count / Self.ceilingChunkBytes + 1, width: 1)
        onChunks(of: bytes.count) { chunk, range in
            results.view[chunk][0] = Float(table.ceiling_read(base + range.lowerBound, range.count))
        }
        return UInt32(results.view.floats.count { $0 != 0 })
    }

    /// Writes all of `bytes`, each part on a thread of the node that will read it in `readAll`: untouched memory then
    /// lies there.
    public func touchAll(_ bytes: UnsafeMutableRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        onChunks(of: bytes.count) { _, range in
            (base + range.lowerBound).initializeMemory(as: UInt8.self, repeating: 1, count: range.count)
        }
    }

    private static let ceilingChunkBytes = 1 << 20

    /// Runs `body` on runs of chunks, cut as few tokens cut the panels of a matrix.
    private func onChunks(of byteCount: Int, _ body: (_ firstChunk: Int, Range<Int>) -> Void) {
        let count = (byteCount + Self.ceilingChunkBytes - 1) / Self.ceilingChunkBytes
        runSteps({ cut.panels(part: $0, of: count).count }, tokenCount: 1, work: byteCount) { node, steps in
            let first = cut.panels(part: node, of: count).lowerBound + steps.lowerBound
            let end = min((first + steps.count) * Self.ceilingChunkBytes, byteCount)
            body(first, first * Self.ceilingChunkBytes..<end)
        }
    }

    /// Dot products of 8-bit integers in registers, `rounds` on every thread.
    @discardableResult
    public func integerOperations(rounds: Int) -> Float {
        let codes = [UInt8](repeating: 3, count: 64)
        return onEveryThread { codes.withUnsafeBytes { $0.baseAddress.map { table.ceiling_dot($0, rounds) } ?? 0 } }
    }

    /// Fused multiply-adds in registers, `rounds` on every thread.
    @discardableResult
    public func floatOperations(rounds: Int) -> Float { onEveryThread { table.ceiling_fma(0.5, rounds) } }

    private func onEveryThread(_ body: () -> Float) -> Float {
        let results = Rows(capacity: pool.threadCount, width: 1)
        pool.run(pool.threadCount) { results.view[$0][0] = body() }
        return results.view.floats.reduce(0, +)
    }
}
