import Basics
import Weights

/// An architecture: a function from `config.json` and the names of the stored tensors to a description.
public typealias Architecture = @Sendable (ConfigurationReader, Set<String>) throws(ModelError) -> ModelDescription

/// Every architecture that Colony serves. A new one is one file in `Architectures` and one line here.
public enum Registry {
    /// `model_type` of `config.json` → the architecture.
    public static let architectures: [String: Architecture] = [
        "deepseek_v3": describeDeepseekV3,
        "deepseek_v32": describeDeepseekV32,
        "deepseek_v4": describeDeepSeekV4,
        "glm4_moe": describeGlm4Moe,
        "glm_moe_dsa": describeGlmMoeDsa,
        "gpt_oss": describeGptOss,
        "kimi_k2": describeDeepseekV3,
        "minimax_m2": describeMiniMaxM2,
        "mixtral": describeMixtral,
        "qwen3_5_moe": describeQwen35Moe,
        "qwen3_5_moe_text": describeQwen35Moe,
        "qwen3_moe": describeQwen3Moe,
        "yi_lightning": describeYiLightning,
    ]

    /// Families whose layers that predict further tokens are known.
    public static let predictingFamilies = [
        "deepseek_v3", "deepseek_v32", "deepseek_v4", "glm4_moe", "glm_moe_dsa", "qwen3_5_moe",
    ]

    /// Describes the model of a checkpoint; of its layers that predict further tokens no more than `predictionLayers`.
    public static func describe(
        _ checkpoint: Checkpoint, predictionLayers: Int = 0
    ) throws(ModelError) -> ModelDescription {
        let configuration = ConfigurationReader(checkpoint.configuration)
        guard let type = configuration.value("model_type") else { throw .configurationKeyMissing(key: "model_type") }
        guard let architecture = architectures[type.string ?? ""] else {
            throw .unknownArchitecture(found: type.string ?? type.serialised(), supported: architectures.keys.sorted())
        }
        return try architecture(configuration, Set(checkpoint.tensorNames))
            .withPredictionLayers(atMost: predictionLayers)
    }
}
