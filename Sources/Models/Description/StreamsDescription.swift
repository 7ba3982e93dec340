import Kernels

/// A residual of several streams (Zhu et al., arXiv 2409.19606; DeepSeek-V4's constrained form): each block takes a
/// mean of them, and gives its result back to each in its own measure.
public struct StreamsDescription: Sendable {
    /// How many, and how their weights are made.
    public let rule: StreamRule
    /// What makes one row of the streams for the head: only the weights to collapse them, `rule.streamCount` instead of
    /// `rule.weightCount`, and one scale.
    public let head: StreamNames

    /// Describes the streams.
    public init(rule: StreamRule, head: StreamNames) {
        self.rule = rule
        self.head = head
    }
}

/// What makes the weights of the streams around a block from the streams themselves, normed together.
public struct StreamNames: Hashable, Sendable {
    /// `[rule.weightCount, streams · hiddenSize]`.
    public let mixesName: String
    /// Added to the mixes: `[rule.weightCount]`.
    public let baseName: String
    /// What mixes are multiplied with: `[3]`, those to collapse, to add, and from stream to stream.
    public let scalesName: String

    /// Names the tensors.
    public init(mixesName: String, baseName: String, scalesName: String) {
        self.mixesName = mixesName
        self.baseName = baseName
        self.scalesName = scalesName
    }
}
