/// Weights in the order of their dimensions, slowest first.
struct Matrix {
    let shape: [Int]
    let weights: [Float]

    private var columns: Int { shape.last ?? 1 }

    /// Matrices of one shape in one.
    static func stacked(_ matrices: [Matrix]) -> Matrix {
        Matrix(shape: [matrices.count] + (matrices.first?.shape ?? []), weights: matrices.flatMap(\.weights))
    }

    /// The same with other dimensions before the last one.
    func reshaped(_ leading: [Int]) -> Matrix { Matrix(shape: leading + [columns], weights: weights) }

    /// Each matrix of the last two dimensions with rows and columns exchanged.
    func transposed() -> Matrix {
        let rows = shape[shape.count - 2]
        let size = rows * columns
        let weights = self.weights.indices.map { index in
            let (matrix, place) = index.quotientAndRemainder(dividingBy: size)
            return self.weights[matrix * size + place % rows * columns + place / rows]
        }
        return Matrix(shape: shape.dropLast(2) + [columns, rows], weights: weights)
    }

    /// The rows of each matrix that `isFirst` says, and the others.
    private func parted(_ isFirst: (Int) -> Bool, count: Int) -> (Matrix, Matrix) {
        let rows = shape[shape.count - 2]
        func taking(_ chosen: Bool, _ count: Int) -> Matrix {
            Matrix(
                shape: shape.dropLast(2) + [count, columns],
                weights: weights.enumerated().filter { isFirst($0.offset / columns % rows) == chosen }.map(\.element))
        }
        return (taking(true, count), taking(false, rows - count))
    }

    /// The first `count` rows of each matrix, and the others.
    func split(_ count: Int) -> (Matrix, Matrix) { parted({ $0 < count }, count: count) }

    /// The first half of each matrix's rows, and the other.
    func halves() -> (Matrix, Matrix) { split(shape[shape.count - 2] / 2) }

    /// Every other row, and those between.
    func byTurns() -> (Matrix, Matrix) { parted({ $0 % 2 == 0 }, count: shape[shape.count - 2] / 2) }

    /// Rows from `first` on are groups of `outer` times `inner` times `unit`; these two change places.
    func exchangingRows(_ outer: Int, _ inner: Int, unit: Int = 1, from first: Int = 0) -> Matrix {
        let width = shape.dropFirst().reduce(1, *)
        var order = Array(0..<first)
        for group in stride(from: first, to: shape[0], by: outer * inner * unit) {
            for fast in 0..<inner {
                for slow in 0..<outer {
                    for row in 0..<unit { order.append(group + (slow * inner + fast) * unit + row) }
                }
            }
        }
        return Matrix(shape: shape, weights: order.flatMap { weights[$0 * width..<($0 + 1) * width] })
    }
}
