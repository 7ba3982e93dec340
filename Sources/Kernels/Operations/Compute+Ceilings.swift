import CKernels

/// What this machine can do at most with the instructions in use: benchmarks give results as shares of it.
extension Compute {
    /// Integer operations (a multiplication and an addition count two) of `integerOperations(rounds: 1)` per thread.
    public static let integerOperationsPerRound = 12 * 128
    /// Floating-point operations of `floatOperations(rounds: 1)` per thread.
    public static let floatOperationsPerRound = 12 * 32

    /// Reads the bytes of all `matrices` once, each matrix on one thread. The answer means nothing; it keeps the
    /// reading from being optimised away.
    @discardableResult
    public func readAll(_ matrices: [PackedMatrix]) -> UInt32 {
        let results = Rows(capacity: matrices.count, width: 1)
        pool.run(matrices.count) { index in
            matrices[index].withPackedBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                results.view[index][0] = Float(table.ceiling_read(base, bytes.count))
            }
        }
        return UInt32(results.view.floats.count { $0 != 0 })
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
