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

    /// The names of the small models, sorted.
    public static let checkpointNames = [
        "glm4_moe_bf16", "glm4_moe_groups_f32", "minimax_m2_bf16", "mixtral_bf16", "mixtral_fused_f16",
        "qwen3_5_moe_bf16", "qwen3_5_moe_text_f32", "qwen3_moe_bf16", "qwen3_moe_f32", "qwen3_moe_fused_f16",
        "qwen3_moe_mixed",
    ]
}
