import Basics
import Kernels

/// Rotary position embedding (Su et al., arXiv 2104.09864) with its published ways of stretching the context.
public struct RotaryDescription: Hashable, Sendable {
    /// The rope types that are understood.
    public static let supportedTypes = ["default", "dynamic", "linear", "llama3", "yarn"]

    /// One frequency per pair of dimensions, in radians per position; half as many as rotated dimensions.
    public let inverseFrequencies: [Float]
    /// Multiplies cosine and sine (YaRN's attention factor; 1 for the others).
    public let attentionFactor: Float

    /// Reads `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (published files).
    /// `dimensions` is the number of rotated dimensions per head, `theta` what holds if the file does not say it.
    public init(
        _ configuration: ConfigurationReader, dimensions: Int, theta fallback: Double = 10_000
    ) throws(ModelError) {
        let theta = try configuration.positive("rope_theta", default: fallback)
        try self.init(source: Self.source(configuration), configuration, dimensions: dimensions, theta: theta)
    }

    /// The same from an object that has the rotary keys itself.
    init(
        source: ConfigurationReader, _ configuration: ConfigurationReader, dimensions: Int, theta fallback: Double
    ) throws(ModelError) {
        let theta = try source.positive("rope_theta", default: fallback)
        let type = try Self.type(source)
        let plain = Self.frequencies(theta: theta, dimensions: dimensions)
        switch type {
        case "linear":
            let factor = try source.positive("factor")
            inverseFrequencies = plain.map { Float($0 / factor) }
            attentionFactor = 1
        case "llama3":
            inverseFrequencies = try Self.llama3(plain, source).map(Float.init)
            attentionFactor = 1
        case "yarn":
            let yarn = try YarnScaling(source, configuration, theta: theta, dimensions: dimensions)
            inverseFrequencies = plain.enumerated().map { Float(yarn.scaled($1, pair: $0)) }
            attentionFactor = Float(yarn.attentionFactor)
        default:
            // "dynamic" changes nothing up to the trained context, and we serve no more than that.
            inverseFrequencies = plain.map(Float.init)
            attentionFactor = 1
        }
    }

    /// How many dimensions of a head are rotated: `partial_rotary_factor` of them, beside the other rotary keys or at
    /// the top; `fallback` is the family's own.
    static func rotatedDimensions(
        _ configuration: ConfigurationReader, headWidth: Int, fallback: Double
    ) throws(ModelError) -> Int {
        let key = "partial_rotary_factor"
        let factor = try source(configuration).number(key, default: configuration.number(key, default: fallback))
        let dimensions = Double(headWidth) * factor
        guard factor > 0, factor <= 1, dimensions >= 2, Int(dimensions) % 2 == 0 else {
            throw .configurationInvalid(
                key: key, found: "\(factor)",
                expected: "a share of head_dim, \(headWidth), that is an even number of dimensions")
        }
        return Int(dimensions)
    }

    /// What latent attention multiplies its scores with where the context was stretched and `mscale_all_dim` says so:
    /// the square of YaRN's magnitude, which the rotated part alone would not give the whole score (DeepSeek-AI, arXiv
    /// 2405.04434); else 1.
    static func scoreFactor(_ configuration: ConfigurationReader) throws(ModelError) -> Double {
        let source = try source(configuration)
        let scale = try source.number("mscale_all_dim", default: 0)
        guard scale != 0, try type(source) != "default" else { return 1 }
        let magnitude = YarnScaling.magnitude(factor: try YarnScaling.factor(source, configuration), scale)
        return magnitude * magnitude
    }

    private static func type(_ source: ConfigurationReader) throws(ModelError) -> String {
        let key = source.value("rope_type") == nil && source.value("type") != nil ? "type" : "rope_type"
        return try source.choice(key, of: supportedTypes, default: "default")
    }

    private static func source(_ configuration: ConfigurationReader) throws(ModelError) -> ConfigurationReader {
        let hasParameters = configuration.value("rope_parameters") != nil
        return try configuration.object(hasParameters ? "rope_parameters" : "rope_scaling")
            ?? ConfigurationReader(JSON.array([]))
    }

    private static func frequencies(theta: Double, dimensions: Int) -> [Double] {
        (0..<dimensions / 2).map { 1 / DeterministicMath.pow(theta, Double(2 * $0) / Double(dimensions)) }
    }

    /// Llama 3's rule: long waves are stretched, short ones kept, those between blended.
    private static func llama3(_ plain: [Double], _ source: ConfigurationReader) throws(ModelError) -> [Double] {
        let factor = try source.positive("factor")
        let lowFactor = try source.positive("low_freq_factor")
        let highFactor = try source.positive("high_freq_factor")
        let original = try source.positive("original_max_position_embeddings")
        return plain.map { frequency in
            let waveLength = 2 * Double.pi / frequency
            if waveLength > original / lowFactor { return frequency / factor }
            if waveLength < original / highFactor { return frequency }
            let smooth = (original / waveLength - lowFactor) / (highFactor - lowFactor)
            return (1 - smooth) * frequency / factor + smooth * frequency
        }
    }
}

/// YaRN (Peng et al., arXiv 2309.00071): dimensions that turn often within the trained context keep their frequency,
/// those that turn less than once are interpolated, a linear ramp lies between.
private struct YarnScaling {
    let factor: Double
    let rampLow: Double
    let rampHigh: Double
    let attentionFactor: Double

    init(
        _ source: ConfigurationReader, _ configuration: ConfigurationReader, theta: Double, dimensions: Int
    ) throws(ModelError) {
        let original = try Self.original(source, configuration)
        factor = try Self.factor(source, configuration)
        let turnsFast = try source.positive("beta_fast", default: 32)
        let turnsSlow = try source.positive("beta_slow", default: 1)
        let truncates = try source.bool("truncate", default: true)
        func dimension(turns: Double) -> Double {
            Double(dimensions) * DeterministicMath.log(original / (turns * 2 * Double.pi))
                / (2 * DeterministicMath.log(theta))
        }
        let low = dimension(turns: turnsFast)
        let high = dimension(turns: turnsSlow)
        rampLow = max(truncates ? low.rounded(.down) : low, 0)
        let top = min(truncates ? high.rounded(.up) : high, Double(dimensions - 1))
        rampHigh = top == rampLow ? top + 0.001 : top
        attentionFactor = try Self.attentionFactor(source, factor: factor)
    }

    private static func original(
        _ source: ConfigurationReader, _ configuration: ConfigurationReader
    ) throws(ModelError) -> Double {
        let context = try configuration.positive("max_position_embeddings", default: 4096)
        return try source.positive("original_max_position_embeddings", default: context)
    }

    /// By how much the context was stretched.
    static func factor(
        _ source: ConfigurationReader, _ configuration: ConfigurationReader
    ) throws(ModelError) -> Double {
        let context = try configuration.positive("max_position_embeddings", default: 4096)
        return try source.positive("factor", default: context / original(source, configuration))
    }

    /// How much longer vectors must be so that the scores of a stretched context are as sharp.
    static func magnitude(factor: Double, _ scale: Double) -> Double {
        factor <= 1 ? 1 : 0.1 * scale * DeterministicMath.log(factor) + 1
    }

    private static func attentionFactor(_ source: ConfigurationReader, factor: Double) throws(ModelError) -> Double {
        if source.value("attention_factor") != nil { return try source.positive("attention_factor") }
        let scale = try source.number("mscale", default: 0)
        let scaleAll = try source.number("mscale_all_dim", default: 0)
        guard scale != 0, scaleAll != 0 else { return magnitude(factor: factor, 1) }
        return magnitude(factor: factor, scale) / magnitude(factor: factor, scaleAll)
    }

    func scaled(_ frequency: Double, pair: Int) -> Double {
        let interpolated = min(max((Double(pair) - rampLow) / (rampHigh - rampLow), 0), 1)
        return frequency / factor * interpolated + frequency * (1 - interpolated)
    }
}
