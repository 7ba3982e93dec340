#!/usr/bin/env python3
"""Writes a qwen3_moe checkpoint with random bf16 weights, of any size: what is measured on it is memory and speed, which
do not depend on what the weights say.

    make_model.py --out DIR [--hidden 1024] [--layers 8] [--experts 48] [--top-k 6] [--width 512] [--vocab 8000]

Needs numpy. The tokenizer is that of the fixture qwen3_moe_bf16; tokens beyond it have no text.
"""
import argparse, json, pathlib, shutil

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/Fixtures/checkpoints/qwen3_moe_bf16"


def tensors(a):
    """Names and shapes, in the order in which they are stored."""
    heads, head = a.hidden // 64, 64
    yield "model.embed_tokens.weight", (a.vocab, a.hidden)
    for layer in range(a.layers):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (a.hidden,)
        yield prefix + "post_attention_layernorm.weight", (a.hidden,)
        yield prefix + "self_attn.q_proj.weight", (heads * head, a.hidden)
        yield prefix + "self_attn.k_proj.weight", (2 * head, a.hidden)
        yield prefix + "self_attn.v_proj.weight", (2 * head, a.hidden)
        yield prefix + "self_attn.o_proj.weight", (a.hidden, heads * head)
        yield prefix + "self_attn.q_norm.weight", (head,)
        yield prefix + "self_attn.k_norm.weight", (head,)
        yield prefix + "mlp.gate.weight", (a.experts, a.hidden)
        for expert in range(a.experts):
            name = f"{prefix}mlp.experts.{expert}."
            yield name + "gate_proj.weight", (a.width, a.hidden)
            yield name + "up_proj.weight", (a.width, a.hidden)
            yield name + "down_proj.weight", (a.hidden, a.width)
    yield "model.norm.weight", (a.hidden,)
    yield "lm_head.weight", (a.vocab, a.hidden)


def bf16(name, shape, random):
    """Random values in bf16: ones for norms, else with a spread of 1/sqrt(inputs)."""
    if "norm" in name:
        values = numpy.ones(shape, numpy.float32)
    else:
        values = random.standard_normal(shape, numpy.float32) / numpy.sqrt(shape[-1])
    return (values.astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path, required=True)
    for key, value in dict(hidden=1024, layers=8, experts=48, top_k=6, width=512, vocab=8000, seed=1).items():
        p.add_argument("--" + key.replace("_", "-"), type=int, default=value)
    a = p.parse_args()
    a.out.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(FIXTURE / name, a.out / name)
    config = json.loads((FIXTURE / "config.json").read_text())
    config.update(
        hidden_size=a.hidden, num_hidden_layers=a.layers, num_experts=a.experts, num_experts_per_tok=a.top_k,
        moe_intermediate_size=a.width, intermediate_size=a.width, num_attention_heads=a.hidden // 64,
        num_key_value_heads=2, head_dim=64, vocab_size=a.vocab, max_position_embeddings=8192)
    (a.out / "config.json").write_text(json.dumps(config, indent=1))
    header, offset = {}, 0
    for name, shape in tensors(a):
        size = 2 * int(numpy.prod(shape))
        header[name] = dict(dtype="BF16", shape=list(shape), data_offsets=[offset, offset + size])
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = numpy.random.default_rng(a.seed)
    with open(a.out / "model.safetensors", "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors(a):
            f.write(bf16(name, shape, random).tobytes())
    print(f"{a.out}: {offset / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
