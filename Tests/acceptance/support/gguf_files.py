"""GGUF files made from model directories, as the usual converters make them: renamed tensors, stacked experts, F32 norms.

The `gguf` package writes the container; what goes into it is ours. Only what the fixtures need is known: qwen3_moe
without dense layers and without biases.
"""

import json
import re
import struct
from pathlib import Path

import gguf
import numpy as np

from support import checkpoints

MODEL_TENSORS = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
LAYER_TENSORS = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate.weight": "ffn_gate_inp.weight",
}
TYPES = {kind.name: kind for kind in gguf.GGMLQuantizationType}


def convert(source: Path, target: Path, kind: str, tensors_per_file: int = 0, architecture: str = "qwen3moe") -> Path:
    """Writes `target`, its matrices as `kind` where their rows allow that; gives back what to open."""
    writer = gguf.GGUFWriter(target, architecture, split_max_tensors=tensors_per_file)
    config = json.loads((source / "config.json").read_text())
    add_configuration(writer, config)
    add_tokenizer(writer, source)
    for name, values in renamed(read_tensors(source)).items():
        add_tensor(writer, name, values, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target if target.exists() else min(target.parent.glob(f"{target.stem}-00001-of-*.gguf"))


def read_tensors(source: Path) -> dict[str, np.ndarray]:
    """All tensors of a directory as f32, which holds what BF16 and F16 can say."""
    tensors = {}
    for path in checkpoints.weight_files(source):
        data = path.read_bytes()
        base = 8 + struct.unpack("<Q", data[:8])[0]
        for name, entry in checkpoints.read_header(path).items():
            if name == "__metadata__":
                continue
            begin, end = (base + offset for offset in entry["data_offsets"])
            kind = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}[entry["dtype"]]
            values = np.frombuffer(data[begin:end], kind)
            if entry["dtype"] == "BF16":
                values = (values.astype(np.uint32) << 16).view(np.float32)
            tensors[name] = values.astype(np.float32).reshape(entry["shape"])
    return tensors


def renamed(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors under GGUF's names, the experts of a layer stacked."""
    result: dict[str, np.ndarray] = {}
    experts: dict[str, dict[int, np.ndarray]] = {}
    for name, values in tensors.items():
        if name in MODEL_TENSORS:
            result[MODEL_TENSORS[name]] = values
            continue
        layer, rest = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", name).groups()
        if rest in LAYER_TENSORS:
            result[f"blk.{layer}.{LAYER_TENSORS[rest]}"] = values
        elif rest == "mlp.experts.gate_up_proj":
            half = values.shape[1] // 2
            result[f"blk.{layer}.ffn_gate_exps.weight"] = np.ascontiguousarray(values[:, :half])
            result[f"blk.{layer}.ffn_up_exps.weight"] = np.ascontiguousarray(values[:, half:])
        elif rest == "mlp.experts.down_proj":
            result[f"blk.{layer}.ffn_down_exps.weight"] = values
        else:
            expert, part = re.fullmatch(r"mlp\.experts\.(\d+)\.(gate|up|down)_proj\.weight", rest).groups()
            experts.setdefault(f"blk.{layer}.ffn_{part}_exps.weight", {})[int(expert)] = values
    for name, values in experts.items():
        result[name] = np.stack([values[expert] for expert in range(len(values))])
    return result


def add_tensor(writer: gguf.GGUFWriter, name: str, values: np.ndarray, kind: str) -> None:
    """Adds a tensor: norms and routers as F32, the others as `kind`, or as BF16 if their rows are not whole blocks."""
    block, _ = gguf.GGML_QUANT_SIZES[TYPES[kind]]
    if values.ndim == 1 or name.endswith("ffn_gate_inp.weight"):
        kind = "F32"
    elif values.shape[-1] % block:
        kind = "BF16"
    data = gguf.quants.quantize(values, TYPES[kind])
    writer.add_tensor(name, data, raw_dtype=TYPES[kind])


def add_configuration(writer: gguf.GGUFWriter, config: dict) -> None:
    """The keys of the architecture."""
    writer.add_name("made for a test")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_expert_count(config.get("num_experts") or config["num_local_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    rope = config.get("rope_parameters") or {}
    writer.add_rope_freq_base(rope.get("rope_theta") or config["rope_theta"])
    scaling = config.get("rope_scaling")
    if scaling:
        assert scaling["rope_type"] == "linear", "other ways of stretching have more keys"
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])


def add_tokenizer(writer: gguf.GGUFWriter, source: Path) -> None:
    """The tokenizer: its pieces are cut as Qwen2's, in all fixtures."""
    document = json.loads((source / "tokenizer.json").read_text())
    special = {token["id"]: token for token in document["added_tokens"]}
    words = {number: word for word, number in document["model"]["vocab"].items()}
    words |= {number: token["content"] for number, token in special.items()}
    config = json.loads((source / "config.json").read_text())
    count = config["vocab_size"]
    kinds = [
        gguf.TokenType.UNUSED
        if number not in words
        else gguf.TokenType.NORMAL
        if number not in special
        else gguf.TokenType.CONTROL
        if special[number]["special"]
        else gguf.TokenType.USER_DEFINED
        for number in range(count)
    ]
    merges = document["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([words.get(number, f"[PAD{number}]") for number in range(count)])
    writer.add_token_types(kinds)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    add_special_tokens(writer, source, config)


def add_special_tokens(writer: gguf.GGUFWriter, source: Path, config: dict) -> None:
    """Where answers end, and how a conversation becomes a prompt."""
    path = source / "generation_config.json"
    generation = json.loads(path.read_text()) if path.exists() else {}
    ends = generation.get("eos_token_id", config.get("eos_token_id"))
    ends = ends if isinstance(ends, list) else [ends]
    writer.add_eos_token_id(ends[0])
    if len(ends) > 1:
        writer.add_eot_token_id(ends[1])
    writer.add_add_bos_token(False)
    template = source / "chat_template.jinja"
    if template.exists():
        writer.add_chat_template(template.read_text())
    else:
        text = json.loads((source / "tokenizer_config.json").read_text()).get("chat_template")
        if text:
            writer.add_chat_template(text)
