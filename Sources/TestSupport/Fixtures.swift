import Foundation

/// The files that tests read, found from where this source file lies.
public enum Fixtures {
    /// Root of the repository, an absolute path.
    public static var repositoryRoot: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
    }

    /// `Tests/Fixtures`, an absolute path.
    public static var directory: String { repositoryRoot + "/Tests/Fixtures" }

    /// Directory of the small model `name`, an absolute path.
    public static func checkpoint(_ name: String) -> String { directory + "/checkpoints/" + name }

    /// The names of the small models.
    public static let checkpointNames =
        [
            "deepseek_v32_bf16", "deepseek_v3_bf16", "deepseek_v3_direct_f32", "deepseek_v4_bf16", "deepseek_v4_f32",
            "glm4_moe_bf16", "glm4_moe_groups_f32",
            "glm_moe_dsa_bf16", "gpt_oss_bf16", "gpt_oss_f32", "minimax_m2_bf16", "mixtral_bf16", "mixtral_fused_f16",
            "qwen3_5_moe_bf16", "qwen3_5_moe_text_f32", "qwen3_moe_bf16", "qwen3_moe_f32", "qwen3_moe_fused_f16",
            "qwen3_moe_mixed", "yi_lightning_bf16", "yi_lightning_fused_f16",
        ] + quantisedNames

    /// Those with a layer that predicts a further token.
    public static let predictingNames = [
        "deepseek_v32_bf16", "deepseek_v3_bf16", "deepseek_v4_bf16", "glm4_moe_bf16", "qwen3_5_moe_bf16",
    ]

    /// Those with quantised weights.
    public static let quantisedNames = [
        "deepseek_v4_fp4", "glm4_moe_compressed", "gpt_oss_mxfp4", "minimax_m2_fp8", "mixtral_gptq8", "qwen3_moe_awq",
        "qwen3_moe_fp4",
        "qwen3_moe_gptq4",
    ]
}
