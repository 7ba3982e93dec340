import CKernels

/// Panels that a thread takes at least, so that the kernels find a whole tile: four panels for one token.
let panelsPerStep = 4

/// Which steps of a loop are those of one matrix at one node: each is `panelsPerStep` of its panels there, the last one
/// what is left.
struct PanelSteps {
    private(set) var range = 0..<0
    private var panels = 0..<0

    init() {}

    init(after previous: Int = 0, panels: Range<Int>) {
        self.panels = panels
        range = previous..<previous + (panels.count + panelsPerStep - 1) / panelsPerStep
    }

    /// The panels of some of these steps.
    func panels(of steps: Range<Int>) -> (first: Int, count: Int) {
        let first = panels.lowerBound + (steps.lowerBound - range.lowerBound) * panelsPerStep
        return (first, min(steps.count * panelsPerStep, panels.upperBound - first))
    }
}

extension Compute {
    /// Whether the parts of `m` lie where this pool's threads look for them. A matrix in one part always does.
    func fits(_ m: PackedMatrix) -> Bool {
        m.parts.isEmpty
            || m.parts.count == cut.count
                && m.parts.indices.allSatisfy { m.parts[$0].panels == cut.panels(part: $0, of: m.panelCount) }
    }
}

extension PackedMatrix {
    /// Where panel 0 would lie if it lay at that node too.
    func base(node: Int) -> UnsafeRawPointer { parts.isEmpty ? base : parts[node].base }
}
