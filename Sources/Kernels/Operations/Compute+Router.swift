import CKernels

extension Compute {
    /// Per row of `logits` ([tokens][experts]): softmax, then the `topK` largest in descending order, ties to the lower
    /// index, divided by their sum if `normalise`. Both results become [tokens][topK]; their memory is reused.
    public func softmaxTopK(
        logits: RowsView, topK: Int, normalise: Bool, experts: inout [Int32], weights: inout [Float]
    ) {
        precondition(topK > 0 && topK <= logits.width, "top_k outside the number of experts")
        resize(&experts, to: logits.count * topK)
        resize(&weights, to: logits.count * topK)
        experts.withUnsafeMutableBufferPointer { experts in
            weights.withUnsafeMutableBufferPointer { weights in
                guard let expertBase = experts.baseAddress, let weightBase = weights.baseAddress else { return }
                parallel(logits.count, grain: 16) { range in
                    for row in range {
                        table.softmax_top_k(
                            logits.base + row * logits.width, logits.width, topK, normalise ? 1 : 0,
                            expertBase + row * topK, weightBase + row * topK)
                    }
                }
            }
        }
    }
}

private func resize<Element: Numeric>(_ array: inout [Element], to count: Int) {
    if array.count > count { array.removeLast(array.count - count) }
    while array.count < count { array.append(0) }
}
