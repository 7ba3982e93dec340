import Basics
import Models
import Testing

/// Frequencies that transformers 5.23 computes for the same settings (16 rotated dimensions).
@Suite struct RotaryTests {
    struct Case: Sendable {
        let parameters: JSON
        let frequencies: [Float]
        let attentionFactor: Float
    }

    static let cases = [
        Case(
            parameters: ["rope_type": "linear", "factor": 4, "rope_theta": 10000],
            frequencies: [
                0.25, 0.079056941, 0.0250000004, 0.00790569466, 0.00249999994, 0.000790569466, 0.000250000012,
                7.90569466e-05,
            ], attentionFactor: 1),
        Case(
            parameters: [
                "rope_type": "yarn", "factor": 4, "rope_theta": 1_000_000, "original_max_position_embeddings": 64,
            ],
            frequencies: [
                1, 0.111142464, 0.00790569466, 0.00140585331, 0.000250000012, 4.44569851e-05, 7.90569356e-06,
                1.40585337e-06,
            ], attentionFactor: 1.138629436111989),
        Case(
            parameters: [
                "rope_type": "yarn", "factor": 40, "rope_theta": 10000, "original_max_position_embeddings": 64,
                "beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dim": 0.5, "truncate": false,
            ],
            frequencies: [
                1, 0.163290262, 0.003273824, 0.000790569466, 0.000250000012, 7.90569466e-05, 2.49999994e-05,
                7.90569447e-06,
            ], attentionFactor: 1.1557219901962608),
        Case(
            parameters: [
                "rope_type": "llama3", "factor": 8, "rope_theta": 500_000, "low_freq_factor": 1,
                "high_freq_factor": 4, "original_max_position_embeddings": 256,
            ],
            frequencies: [
                1, 0.193922758, 0.0105382307, 0.000911583134, 0.000176776681, 3.42810235e-05, 6.64786967e-06,
                1.28917316e-06,
            ], attentionFactor: 1),
    ]

    @Test(arguments: cases) func equalsTheReference(expected: Case) throws {
        let configuration: JSON = ["max_position_embeddings": 512, "rope_parameters": expected.parameters]
        let rotary = try RotaryDescription(ConfigurationReader(configuration), dimensions: 16)
        #expect(rotary.inverseFrequencies.count == expected.frequencies.count)
        for (ours, theirs) in zip(rotary.inverseFrequencies, expected.frequencies) {
            // The reference's ramp between kept and stretched frequencies is computed in single precision.
            #expect(abs(ours - theirs) <= 2e-6 * theirs)
        }
        #expect(abs(rotary.attentionFactor - expected.attentionFactor) < 1e-6)
    }

    @Test func publishedFilesKeepThetaBesideTheScaling() throws {
        let configuration: JSON = [
            "max_position_embeddings": 512, "rope_theta": 10000, "rope_scaling": ["type": "linear", "factor": 4],
        ]
        let rotary = try RotaryDescription(ConfigurationReader(configuration), dimensions: 16)
        #expect(rotary.inverseFrequencies[1] == 0.079056941)
    }
}
