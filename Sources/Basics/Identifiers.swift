/// A transformer layer, counted from 0.
public struct LayerIndex: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The number of the layer.
    public let value: Int

    /// Names layer `value`.
    public init(_ value: Int) { self.value = value }

    /// Orders layers by number.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The bare number.
    public var description: String { String(value) }
}

/// A routed expert within one layer, counted from 0.
public struct ExpertIndex: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The number of the expert within its layer.
    public let value: Int

    /// Names expert `value` of a layer.
    public init(_ value: Int) { self.value = value }

    /// Orders experts by number.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The bare number.
    public var description: String { String(value) }
}

/// A token of the model's vocabulary.
public struct TokenID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The row of the embedding matrix.
    public let value: Int32

    /// Names token `value`.
    public init(_ value: Int32) { self.value = value }

    /// Orders tokens by number.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The bare number.
    public var description: String { String(value) }
}

/// The name of a process of the cluster, unique within it, for instance `worker-2`; it is the common name of the
/// process's certificate.
public struct NodeID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The name.
    public let value: String

    /// Names a node.
    public init(_ value: String) { self.value = value }

    /// Orders nodes by name.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The bare name.
    public var description: String { value }
}

/// Which version of the placement a message belongs to; grows by one with each change.
public struct PlacementEpoch: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The number of the epoch; 0 means that nothing is placed.
    public let value: UInt64

    /// Names epoch `value`.
    public init(_ value: UInt64) { self.value = value }

    /// Orders epochs by age.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The bare number.
    public var description: String { String(value) }
}

/// The smallest piece of a model that a worker hosts (DESIGN §1): stateless, so that its owner may die at any moment.
public enum ShardID: Hashable, Comparable, Sendable {
    /// The routed expert `expert` of layer `layer`: its gate, up and down projection.
    case expert(layer: LayerIndex, expert: ExpertIndex)
}

/// Fixed-width hash of everything that must agree before two processes may compute together: a model's configuration
/// and weights.
public struct ModelDigest: Hashable, Sendable, Codable, CustomStringConvertible {
    /// 32 bytes (SHA-256) as 64 lower-case hexadecimal digits.
    public let hexadecimal: String

    /// Wraps a digest that was computed elsewhere.
    public init(hexadecimal: String) { self.hexadecimal = hexadecimal }

    /// The first 12 digits, enough for people.
    public var description: String { String(hexadecimal.prefix(12)) }
}
