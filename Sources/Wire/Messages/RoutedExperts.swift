public import Basics

/// The experts that one token visited, layer by layer. Layers without a router are left out.
public struct RoutedExperts: Hashable, Sendable {
    /// How many experts each layer with a router picks, in the order of the layers. Tokens of one model share it.
    public let countPerLayer: [UInt16]
    /// The experts of the first such layer in the router's order, then those of the second, and so on. 16 bits each
    /// (`Limits.Wire.expertsMax`), because a long answer keeps hundreds of them per token.
    public let experts: [UInt16]

    /// Describes a token's way through a model.
    public init(countPerLayer: [UInt16], experts: [UInt16]) {
        precondition(Self.total(countPerLayer) == experts.count, "as many experts as the layers pick")
        self.countPerLayer = countPerLayer
        self.experts = experts
    }

    /// The experts of each layer, in the router's order.
    public var layers: [[ExpertIndex]] {
        var start = 0
        return countPerLayer.map { count in
            defer { start += Int(count) }
            return experts[start..<start + Int(count)].map { ExpertIndex(Int($0)) }
        }
    }

    /// How many experts all layers pick together.
    static func total(_ countPerLayer: [UInt16]) -> Int { countPerLayer.reduce(0) { $0 + Int($1) } }
}
