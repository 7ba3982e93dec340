import Basics

/// The experts beside the tokens of one `generated`: how many each layer picks, once, then for each token its experts.
/// What one token would repeat for the next is written once, since a chain of hundreds of experts comes with each.
enum RoutedExpertsBlock {
    /// Writes the experts of `tokens`, all of which have some, for the same layers.
    static func encode(_ tokens: [ScoredToken], into writer: inout ByteWriter) throws(WireError) {
        let countPerLayer = tokens.first?.routedExperts?.countPerLayer ?? []
        try writer.list("countPerLayer", countPerLayer, limit: Limits.Wire.layersMax) { writer, count in
            writer.integer(count)
        }
        try check(RoutedExperts.total(countPerLayer))
        for token in tokens {
            guard let routed = token.routedExperts, routed.countPerLayer == countPerLayer else {
                throw .invalidValue(field: "routedExperts", reason: "differ in their layers from token to token")
            }
            for expert in routed.experts { writer.integer(expert) }
        }
    }

    /// Reads the experts of `tokens` and puts them beside these. Memory is taken only for what has arrived.
    static func decode(into tokens: inout [ScoredToken], from reader: inout ByteReader) throws(WireError) {
        let countPerLayer = try reader.list("countPerLayer", limit: Limits.Wire.layersMax, elementByteCountMin: 2) {
            (reader) throws(WireError) in try reader.integer("countPerLayer", as: UInt16.self)
        }
        let total = RoutedExperts.total(countPerLayer)
        try check(total)
        guard !tokens.isEmpty else {
            throw .invalidValue(field: "routedExperts", reason: "are there, and no tokens")
        }
        for index in tokens.indices {
            let experts = try reader.numbers("routedExperts", count: total)
            tokens[index].routedExperts = RoutedExperts(countPerLayer: countPerLayer, experts: experts)
        }
    }

    private static func check(_ total: Int) throws(WireError) {
        guard total <= Limits.Wire.routedExpertsMax else {
            throw .beyondLimit(field: "routedExperts", value: total, limit: Limits.Wire.routedExpertsMax)
        }
    }
}
