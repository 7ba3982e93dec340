import Basics

/// What can be wrong with what computes.
public enum KernelError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The processor, or this build, lacks the instruction set.
    case instructionSetUnavailable(requested: InstructionSet, available: [InstructionSet])
    /// The rows of a matrix are not whole blocks of its format.
    case matrixBlocksPartial(columns: Int, format: MatrixFormat)
    /// A matrix has no rows or columns, or more than the limit.
    case matrixShapeInvalid(rows: Int, columns: Int, rowsMax: Int, columnsMax: Int)
    /// The bytes of a matrix are not as many as its shape and format say.
    case matrixSizeMismatch(expectedBytes: Int, foundBytes: Int)
    /// The system has no memory for a matrix.
    case outOfMemory(byteCount: Int)
    /// A pool cannot have so many threads.
    case threadCountOutOfRange(count: Int, limit: Int)

    /// One line for people.
    public var description: String {
        switch self {
        case .instructionSetUnavailable(let requested, let available):
            let names = available.map(\.rawValue).joined(separator: ", ")
            return "this processor does not have the instruction set \(requested.rawValue) (it has: \(names))"
        case .matrixBlocksPartial(let columns, let format):
            return
                "a matrix has \(columns) columns, not whole blocks of \(format.columnsMultiple) (\(format))"
        case .matrixShapeInvalid(let rows, let columns, let rowsMax, let columnsMax):
            return "a matrix of \(rows) x \(columns) is outside 1 x 1 to \(rowsMax) x \(columnsMax)"
        case .matrixSizeMismatch(let expectedBytes, let foundBytes):
            return "a matrix has \(foundBytes) bytes where its shape needs \(expectedBytes)"
        case .outOfMemory(let byteCount):
            return "no memory for a matrix of \(byteCount) bytes"
        case .threadCountOutOfRange(let count, let limit):
            return "\(count) compute threads are outside 1 to \(limit)"
        }
    }
}
