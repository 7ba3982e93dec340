"""How weights are quantised in published checkpoints: each function takes a matrix [outputs, inputs] and gives the
tensors that stand for it, by what follows the name of its layer, and the matrix that they mean, in float32."""
import torch

import deepseek_v4

E2M1 = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
# AWQ: which of eight neighbouring outputs a word holds from its lowest bits on.
AWQ_OUTPUTS = (0, 2, 4, 6, 1, 3, 5, 7)


def pack_words(codes, dimension, bits, order=None):
    """Integers into words of 32 bits along a dimension, the first in the lowest bits."""
    codes = codes.movedim(dimension, 0).long()
    count = 32 // bits
    words = torch.zeros(codes.shape[0] // count, *codes.shape[1:], dtype=torch.long)
    for place, source in enumerate(order or range(count)):
        words |= codes[source::count] << (place * bits)
    signed = torch.where(words >= 1 << 31, words - (1 << 32), words)
    return signed.to(torch.int32).movedim(0, dimension).contiguous()


def spread(scales, rows, columns, block):
    """A scale for each block as one for each weight."""
    return scales.repeat_interleave(block[0], 0)[:rows].repeat_interleave(block[1], 1)[:, :columns]


def fp8(weight, block=(128, 128), power_of_two=False, name="weight_scale_inv"):
    """8-bit floats, a scale for each block of outputs and inputs; the last blocks may be smaller."""
    rows, columns = weight.shape
    counts = [-(-size // each) for size, each in zip(weight.shape, block)]
    padded = torch.zeros(counts[0] * block[0], counts[1] * block[1])
    padded[:rows, :columns] = weight
    scales = padded.view(counts[0], block[0], counts[1], block[1]).abs().amax((1, 3)).clamp(min=1e-9) / 448
    if power_of_two:
        scales = scales.log2().ceil().exp2()
    each = spread(scales, rows, columns, block)
    codes = (weight / each).to(torch.float8_e4m3fn)
    kept = scales.to(torch.float8_e8m0fnu) if power_of_two else scales
    return {"weight": codes, name: kept}, codes.float() * each


def fp4(weight):
    """4-bit floats, two in a byte, a power of two for 32 inputs."""
    groups = weight.unflatten(1, (-1, 32))
    exponents = (groups.abs().amax(-1).clamp(min=2.0 ** -100) / 6).log2().ceil()
    scaled = groups / exponents.exp2()[..., None]
    codes = (scaled.abs()[..., None] - E2M1).abs().argmin(-1)
    meant = (E2M1[codes] * scaled.sign() * exponents.exp2()[..., None]).flatten(1)
    codes = (codes + 8 * (scaled < 0)).flatten(1)
    pairs = (codes[:, ::2] | codes[:, 1::2] << 4).to(torch.uint8).view(torch.int8)
    return {"weight": pairs, "scale": (exponents + 127).to(torch.uint8).view(torch.float8_e8m0fnu)}, meant


def mxfp4(experts):
    """4-bit floats of all experts of a layer, [experts, inputs, outputs], as blocks of 32 inputs of each output."""
    pairs, exponents, meant = [], [], []
    for matrix in experts:
        parts, one = fp4(matrix.T.contiguous())
        pairs.append(parts["weight"].view(torch.uint8).unflatten(1, (-1, 16)))
        exponents.append(parts["scale"].view(torch.uint8))
        meant.append(one.T)
    return {"_blocks": torch.stack(pairs), "_scales": torch.stack(exponents)}, torch.stack(meant)


def integers(weight, bits, group_of_column, symmetric, scale_type):
    """Codes [outputs, inputs], scales and zeros [outputs, groups], and what they mean."""
    most = 2 ** bits - 1
    count = int(group_of_column.max()) + 1
    scales, zeros = torch.zeros(weight.shape[0], count), torch.zeros(weight.shape[0], count)
    for group in range(count):
        part = weight[:, group_of_column == group]
        if symmetric:
            scale, zero = 2 * part.abs().amax(1) / most, torch.full((len(part),), (most + 1) / 2)
        else:
            low, high = part.amin(1).clamp(max=0), part.amax(1).clamp(min=0)
            scale = (high - low) / most
            zero = (-low / scale).round().clamp(1, most)
        scales[:, group], zeros[:, group] = scale.to(scale_type).float(), zero
    each_scale, each_zero = scales[:, group_of_column], zeros[:, group_of_column]
    codes = (weight / each_scale).round().add(each_zero).clamp(0, most)
    return codes, scales, zeros, (codes - each_zero) * each_scale


def gptq(weight, bits, group, symmetric, act_order, version=1):
    group_of_column = torch.arange(weight.shape[1]) // group
    if act_order:
        generator = torch.Generator().manual_seed(weight.shape[0] * 7 + weight.shape[1])
        group_of_column = group_of_column[torch.randperm(weight.shape[1], generator=generator)]
    codes, scales, zeros, meant = integers(weight, bits, group_of_column, symmetric, torch.float16)
    stored_zeros = zeros - 1 if version == 1 else zeros
    return {
        "qweight": pack_words(codes.T, 0, bits), "qzeros": pack_words(stored_zeros.T, 1, bits),
        "scales": scales.T.half().contiguous(), "g_idx": group_of_column.to(torch.int32)}, meant


def awq(weight, group):
    group_of_column = torch.arange(weight.shape[1]) // group
    codes, scales, zeros, meant = integers(weight, 4, group_of_column, False, torch.float16)
    return {
        "qweight": pack_words(codes.T, 1, 4, AWQ_OUTPUTS), "qzeros": pack_words(zeros.T, 1, 4, AWQ_OUTPUTS),
        "scales": scales.T.half().contiguous()}, meant


def compressed(weight, bits, group):
    group_of_column = torch.arange(weight.shape[1]) // group
    codes, scales, _, meant = integers(weight, bits, group_of_column, True, torch.bfloat16)
    return {
        "weight_packed": pack_words(codes, 1, bits), "weight_scale": scales.bfloat16(),
        "weight_shape": torch.tensor(weight.shape)}, meant


def is_expert(name):
    return ".experts." in name


def is_linear(name):
    return name.endswith("_proj.weight") or is_expert(name)


# Per kind of weights: which are quantised and how, and what config.json says of it.
KINDS = {
    "fp8": (
        is_linear, lambda name, weight: fp8(weight, (32, 32)),
        dict(quant_method="fp8", fmt="e4m3", activation_scheme="dynamic", weight_block_size=[32, 32])),
    "fp4": (
        is_linear,
        lambda name, weight: fp4(weight) if is_expert(name) else fp8(weight, power_of_two=True, name="scale"),
        dict(quant_method="fp8", fmt="e4m3", scale_fmt="ue8m0", weight_block_size=[128, 128])),
    "deepseek_v4": (
        deepseek_v4.is_quantised,
        lambda name, weight: fp4(weight) if is_expert(name) else fp8(weight, power_of_two=True, name="scale"),
        dict(quant_method="fp8", fmt="e4m3", scale_fmt="ue8m0", weight_block_size=[128, 128])),
    "gptq4": (
        is_expert, lambda name, weight: gptq(weight, 4, 32, symmetric=False, act_order=True),
        dict(quant_method="gptq", bits=4, group_size=32, desc_act=True, sym=False, checkpoint_format="gptq")),
    "gptq8": (
        is_expert, lambda name, weight: gptq(weight, 8, 32, symmetric=True, act_order=False, version=2),
        dict(quant_method="gptq", bits=8, group_size=32, desc_act=False, sym=True, checkpoint_format="gptq_v2")),
    "awq": (
        is_linear, lambda name, weight: awq(weight, 32),
        dict(quant_method="awq", bits=4, group_size=32, version="gemm", zero_point=True)),
    "compressed": (
        is_expert, lambda name, weight: compressed(weight, 4, 32),
        dict(quant_method="compressed-tensors", format="pack-quantized", ignore=["lm_head"], config_groups=dict(
            group_0=dict(targets=["Linear"], weights=dict(
                num_bits=4, type="int", symmetric=True, strategy="group", group_size=32, actorder=None))))),
    "mxfp4": (
        lambda name: name.endswith(("experts.gate_up_proj", "experts.down_proj")), lambda name, weight: mxfp4(weight),
        dict(quant_method="mxfp4", modules_to_not_convert=[
            "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"])),
}


def quantise(tensors, kind):
    """Tensors as published, and as the reference computes with them, both by name."""
    is_quantised, function, _ = KINDS[kind]
    published, meant = {}, {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2 or not is_quantised(name):
            published[name] = meant[name] = tensor
            continue
        parts, meant[name] = function(name, tensor.float())
        published.update({name.removesuffix("weight") + part: value for part, value in parts.items()})
    return published, meant
