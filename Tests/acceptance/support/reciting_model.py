"""A model that always writes the same: every token of its answer has one successor, and the layers add nothing."""

import json
import struct
from pathlib import Path

from support import checkpoints

HIDDEN, HEADS, HEAD_WIDTH, EXPERTS, EXPERT_WIDTH = 64, 4, 16, 4, 32
END = 1


def write(directory: Path, parts: list[str], template: str, special: tuple[str, ...] = ()) -> Path:
    """Writes a model whose answer to anything is `parts`, a token each; those in `special` are special tokens."""
    assert len(set(parts)) == len(parts) < HIDDEN, "every part is a token of its own"
    directory.mkdir()
    source = checkpoints.DEFAULT
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    configuration = json.loads((source / "config.json").read_text())
    first = configuration["vocab_size"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    tokenizer["added_tokens"] += [
        {"id": first + index, "content": part, **flags, "special": part in special} for index, part in enumerate(parts)
    ]
    configuration |= {
        "hidden_size": HIDDEN, "num_hidden_layers": 1, "num_attention_heads": HEADS, "num_key_value_heads": HEADS,
        "head_dim": HEAD_WIDTH, "num_experts": EXPERTS, "num_experts_per_tok": 2, "eos_token_id": END,
        "moe_intermediate_size": EXPERT_WIDTH, "vocab_size": first + len(parts), "tie_word_embeddings": False,
    }
    for name, document in (("tokenizer.json", tokenizer), ("config.json", configuration)):
        (directory / name).write_text(json.dumps(document))
    (directory / "tokenizer_config.json").write_text("{}")
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": END}))
    (directory / "chat_template.jinja").write_text(template)
    weights = {
        name: ({"dtype": "F32", "shape": shape}, struct.pack(f"<{len(numbers)}f", *numbers))
        for name, (shape, numbers) in tensors(first, len(parts)).items()
    }
    checkpoints.write_weights(directory / "model.safetensors", weights)
    return directory


def tensors(first: int, count: int) -> dict[str, tuple[list[int], list[float]]]:
    """Shape and numbers of each tensor. A part's embedding says which part comes next, that of all else the first."""
    embedding = [unit(max(0, token - first + 1)) for token in range(first + count)]
    head = [[0.0] * HIDDEN for _ in range(first)] + [unit(index) for index in range(count)]
    head[END] = unit(count)
    layer = "model.layers.0"
    zeros = {
        **{f"{layer}.self_attn.{name}_proj.weight": [HEADS * HEAD_WIDTH, HIDDEN] for name in ("q", "k", "v", "o")},
        f"{layer}.mlp.gate.weight": [EXPERTS, HIDDEN],
    }
    for expert in range(EXPERTS):
        prefix = f"{layer}.mlp.experts.{expert}"
        zeros |= {f"{prefix}.{name}_proj.weight": [EXPERT_WIDTH, HIDDEN] for name in ("gate", "up")}
        zeros[f"{prefix}.down_proj.weight"] = [HIDDEN, EXPERT_WIDTH]
    norms = {f"{layer}.{name}_layernorm.weight": HIDDEN for name in ("input", "post_attention")}
    norms |= {f"{layer}.self_attn.{name}_norm.weight": HEAD_WIDTH for name in ("q", "k")}
    norms["model.norm.weight"] = HIDDEN
    return {
        "model.embed_tokens.weight": ([len(embedding), HIDDEN], sum(embedding, [])),
        "lm_head.weight": ([len(head), HIDDEN], sum(head, [])),
        **{name: (shape, [0.0] * (shape[0] * shape[1])) for name, shape in zeros.items()},
        **{name: ([width], [1.0] * width) for name, width in norms.items()},
    }


def unit(index: int) -> list[float]:
    return [float(index == position) for position in range(HIDDEN)]
