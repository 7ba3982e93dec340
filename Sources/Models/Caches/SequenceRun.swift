/// Neighbouring rows of a step that belong to one sequence, in order of position.
struct SequenceRun {
    /// The rows, counted in the step.
    let rows: Range<Int>
    /// Their positions in the sequence.
    let positions: Range<Int>
    /// The sequence's cache.
    let cache: SequenceCache

    /// Cuts rows into those of each sequence.
    static func runs(of rows: ArraySlice<StepBatch.Row>) -> [SequenceRun] {
        var runs: [SequenceRun] = []
        var first = rows.startIndex
        while first < rows.endIndex {
            let cache = rows[first].cache
            let end = rows[first...].firstIndex { $0.cache !== cache } ?? rows.endIndex
            let start = rows[first].position
            precondition(rows[end - 1].position == start + end - 1 - first, "positions of a sequence follow each other")
            runs.append(SequenceRun(rows: first..<end, positions: start..<start + end - first, cache: cache))
            first = end
        }
        return runs
    }
}
