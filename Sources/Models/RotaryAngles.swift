import Kernels

/// Cosine and sine of the angles by which one rotary description turns each row of a step; computed once for all layers
/// that share it.
struct RotaryAngles {
    /// Where they come from.
    let rotary: RotaryDescription
    /// `[rows, pairs]`.
    let cosine: Rows
    /// `[rows, pairs]`.
    let sine: Rows
    /// The sine of the opposite angles, by which rows turn back: `[rows, pairs]`.
    let oppositeSine: Rows

    init(_ rotary: RotaryDescription, rowsMax: Int) {
        self.rotary = rotary
        cosine = Rows(capacity: rowsMax, width: rotary.inverseFrequencies.count)
        sine = Rows(capacity: rowsMax, width: rotary.inverseFrequencies.count)
        oppositeSine = Rows(capacity: rowsMax, width: rotary.inverseFrequencies.count)
    }

    /// Computes the angles of the rows' positions.
    func compute(_ positions: some Sequence<Int>) {
        for (row, position) in positions.enumerated() {
            let opposite = oppositeSine.view(row..<row + 1)[0]
            let cosine = cosine.view(row..<row + 1)[0]
            let sine = sine.view(row..<row + 1)[0]
            for (pair, frequency) in rotary.inverseFrequencies.enumerated() {
                let angle = Double(Float(position) * frequency)
                cosine[pair] = Float(DeterministicMath.cos(angle)) * rotary.attentionFactor
                sine[pair] = Float(DeterministicMath.sin(angle)) * rotary.attentionFactor
                opposite[pair] = -sine[pair]
            }
        }
    }
}
