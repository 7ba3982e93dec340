import CKernels

/// What this machine can do at most with the instructions in use: benchmarks give results as shares of it.
extension Compute {
    /// Integer operations (a multiplication and an addition count two) of `integerOperations(rounds: 1)` per thread.
    public static let integerOperationsPerRound = 12 * 128
    /// Floating-point operations of `floatOperations(rounds: 1)` per thread.
    public static let floatOperationsPerRound = 12 * 32

    /// Reads the bytes of all `matrices` once, each part on a thread of its node. The answer means nothing; it keeps
    /// the reading from being optimised away.
    @discardableResult
    public func readAll(_ matrices: [PackedMatrix]) -> UInt32 {
        let results = Rows(capacity: cut.count * matrices.count, width: 1)
        let byteCount = matrices.reduce(0) { $0 + $1.byteCount }
        runSteps({ _ in matrices.count }, tokenCount: 1, work: byteCount) { node, range in
            for index in range {
                results.view[node * matrices.count + index][0] = Float(readPart(of: matrices[index], node: node))
            }
        }
        return UInt32(results.view.floats.count { $0 != 0 })
    }

    private func readPart(of matrix: PackedMatrix, node: Int) -> UInt32 {
        let panels = cut.panels(part: node, of: matrix.panelCount)
        let panelBytes = matrix.byteCount / matrix.panelCount
        return table.ceiling_read(matrix.base(node: node) + panels.lowerBound * panelBytes, panels.count * panelBytes)
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
