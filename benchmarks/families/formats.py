"""In which forms weights are published: each takes the shape of a matrix [outputs, inputs] and says which tensors stand
for it, by what follows the name of its layer, and what random numbers they hold. Formats: docs/MODELS.md."""

from collections.abc import Callable
from dataclasses import dataclass

GROUP = 128
# The root of the mean square of random codes: of e4m3 without the greatest exponent, of e2m1, of 4-bit integers less 8.
E4M3_DEVIATION, E2M1_DEVIATION, INTEGER_DEVIATION = 62.0, 2.9, 4.6


@dataclass(frozen=True)
class Stored:
    """A tensor: its type in the file, its shape, and how it is filled (see `checkpoint.Random`)."""

    dtype: str
    shape: tuple[int, ...]
    fill: str = "bits"
    value: float = 0


Parts = dict[str, Stored]


def fp8(rows: int, columns: int, scale: str = "weight_scale_inv", dtype: str = "F32") -> Parts:
    blocks = (-(-rows // 128), -(-columns // 128))
    return {
        "weight": Stored("F8_E4M3", (rows, columns), "e4m3"),
        scale: Stored(dtype, blocks, "constant", columns ** -0.5 / E4M3_DEVIATION)}


def fp8_of_powers(rows: int, columns: int) -> Parts:
    """As DeepSeek-V4 has them: scales are powers of two."""
    return fp8(rows, columns, "scale", "F8_E8M0")


def fp4(rows: int, columns: int) -> Parts:
    return {
        "weight": Stored("I8", (rows, columns // 2)),
        "scale": Stored("F8_E8M0", (rows, columns // 32), "constant", columns ** -0.5 / E2M1_DEVIATION)}


def gptq(rows: int, columns: int) -> Parts:
    groups = columns // GROUP
    return {
        "qweight": Stored("I32", (columns // 8, rows)),
        # Zeros are stored minus one: 8 as 7.
        "qzeros": Stored("I32", (groups, rows // 8), "constant", 0x77777777),
        "scales": Stored("F16", (groups, rows), "constant", columns ** -0.5 / INTEGER_DEVIATION),
        "g_idx": Stored("I32", (columns,), "groups", GROUP)}


def awq(rows: int, columns: int) -> Parts:
    groups = columns // GROUP
    return {
        "qweight": Stored("I32", (columns, rows // 8)), "qzeros": Stored("I32", (groups, rows // 8)),
        "scales": Stored("F16", (groups, rows), "constant", columns ** -0.5 / INTEGER_DEVIATION)}


def compressed(rows: int, columns: int) -> Parts:
    return {
        "weight_packed": Stored("I32", (rows, columns // 8)),
        "weight_scale": Stored("BF16", (rows, columns // 32), "constant", columns ** -0.5 / INTEGER_DEVIATION),
        "weight_shape": Stored("I64", (2,), "shape", rows * 2 ** 32 + columns)}


def mxfp4(experts: int, columns: int, rows: int) -> Parts:
    """Experts of GPT-OSS, which are published transposed otherwise."""
    return {
        "_blocks": Stored("U8", (experts, rows, columns // 32, 16)),
        "_scales": Stored("U8", (experts, rows, columns // 32), "exponent", columns ** -0.5 / E2M1_DEVIATION)}


def is_linear(name: str, shape: tuple[int, ...]) -> bool:
    """Whether published checkpoints quantise it: routers, small projections, embedding and head they do not."""
    others = ("embed.weight", "embed_tokens.weight", "head.weight", "lm_head.weight", "_fn")
    return len(shape) == 2 and min(shape) >= 256 and name.endswith(".weight") and not name.endswith(others)


def is_expert(name: str) -> bool:
    return ".experts." in name


@dataclass(frozen=True)
class Format:
    """What becomes of a matrix; nil: it stays as it is. `configuration` is added to `config.json`."""

    configuration: dict
    parts: Callable[[str, tuple[int, ...]], Parts | None]

    def applied(self, configuration: dict, tensors: dict) -> tuple[dict, dict]:
        """A checkpoint of plain weights in this form."""
        found = {}
        for name, shape in tensors.items():
            parts = self.parts(name, shape)
            if parts is None:
                found[name] = shape
                continue
            stem = name.removesuffix("weight")
            found |= {stem + suffix: stored for suffix, stored in parts.items()}
        return configuration | self.configuration, found


def of_linear(method: Callable[[int, int], Parts]) -> Callable[[str, tuple[int, ...]], Parts | None]:
    return lambda name, shape: method(*shape) if is_linear(name, shape) else None


def of_experts(method: Callable[[int, int], Parts]) -> Callable[[str, tuple[int, ...]], Parts | None]:
    return lambda name, shape: method(*shape) if is_linear(name, shape) and is_expert(name) else None


def deepseek_v4(name: str, shape: tuple[int, ...]) -> Parts | None:
    if not is_linear(name, shape) or ".compressor." in name:
        return None
    return fp4(*shape) if is_expert(name) and "shared" not in name else fp8_of_powers(*shape)


def gpt_oss(name: str, shape: tuple[int, ...]) -> Parts | None:
    return mxfp4(*shape) if len(shape) == 3 else None


def quantised(method: str, **more) -> dict:
    return {"quantization_config": {"quant_method": method, **more}}


def packed(group: int) -> dict:
    weights = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": group}
    return quantised(
        "compressed-tensors", format="pack-quantized",
        config_groups={"group_0": {"targets": ["Linear"], "weights": weights}})


BLOCKS = {"fmt": "e4m3", "weight_block_size": [128, 128]}

ALL = {
    "awq": Format(quantised("awq", bits=4, group_size=GROUP, zero_point=True, version="gemm"), of_linear(awq)),
    "bf16": Format({}, lambda name, shape: None),
    "compressed-tensors int4": Format(packed(32), of_experts(compressed)),
    "fp8": Format(quantised("fp8", **BLOCKS), of_linear(fp8)),
    "fp8 and fp4": Format(quantised("fp8", scale_fmt="ue8m0", **BLOCKS), deepseek_v4),
    "gptq int4": Format(quantised("gptq", bits=4, group_size=GROUP, desc_act=False, sym=True), of_linear(gptq)),
    "mxfp4": Format(quantised("mxfp4"), gpt_oss),
}

# In which forms a family's models are published beside bfloat16; those of the reference are what others are held
# against, so it has all that it can have.
OF_FAMILY = {
    "qwen3_moe": ["fp8", "gptq int4", "awq", "compressed-tensors int4"],
    "deepseek_v3": ["fp8", "compressed-tensors int4"],
    "deepseek_v32": ["fp8"],
    "deepseek_v4": ["fp8 and fp4"],
    "glm4_moe": ["fp8"],
    "glm_moe_dsa": ["fp8"],
    "gpt_oss": ["mxfp4"],
    "minimax_m2": ["fp8"],
    "mixtral": ["gptq int4", "awq"],
    "qwen3_5_moe": ["fp8", "gptq int4"],
}
