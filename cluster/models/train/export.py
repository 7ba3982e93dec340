#!/usr/bin/env python3
"""Writes a trained network as a normal Hugging Face model directory, and checks it against transformers.

    export.py --output DIRECTORY [--work DIRECTORY] [--force]
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer

import weights
from batches import Conversations
from evaluation import held_out_questions, plain_batch
from network import Network, Precision, Shape

CHAT_TEMPLATE = """\
{%- for message in messages -%}
    {%- if message.role not in ['system', 'user', 'assistant'] -%}
        {{- raise_exception('this model knows the roles system, user and assistant, not ' ~ message.role) -}}
    {%- endif -%}
    {{- '<|' ~ message.role ~ '|>' ~ message.content | trim ~ '<|end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|assistant|>' -}}
{%- endif -%}
"""
# The largest difference of a logit that another order of float32 operations explains.
LOGIT_TOLERANCE = 0.005


def configuration(shape: Shape, end: int, padding: int) -> dict:
    return {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "torch_dtype": "bfloat16",
        "vocab_size": shape.vocab_size, "hidden_size": shape.hidden_size, "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads, "num_key_value_heads": shape.num_key_value_heads,
        "head_dim": shape.head_dim, "num_experts": shape.num_experts, "num_experts_per_tok": shape.num_experts_per_tok,
        "moe_intermediate_size": shape.moe_intermediate_size, "intermediate_size": shape.moe_intermediate_size,
        "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [], "attention_bias": False,
        "attention_dropout": 0.0, "hidden_act": "silu", "rms_norm_eps": shape.rms_norm_eps,
        "rope_theta": shape.rope_theta, "rope_scaling": None, "max_position_embeddings": shape.max_position_embeddings,
        "use_sliding_window": False, "sliding_window": None, "tie_word_embeddings": True,
        "router_aux_loss_coef": 0.01, "output_router_logits": False, "initializer_range": 0.02, "use_cache": True,
        "bos_token_id": None, "eos_token_id": end, "pad_token_id": padding,
    }


def write(network: Network, tokenizer: Tokenizer, directory: Path):
    directory.mkdir(parents=True, exist_ok=True)
    end, padding = tokenizer.token_to_id("<|end|>"), tokenizer.token_to_id("<|pad|>")
    tokenizer.save(str(directory / "tokenizer.json"))
    documents = {
        "config.json": configuration(network.shape, end, padding),
        "generation_config.json": {"do_sample": False, "eos_token_id": end, "pad_token_id": padding},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": None, "eos_token": "<|end|>",
            "pad_token": "<|pad|>", "add_bos_token": False, "clean_up_tokenization_spaces": False,
            "model_max_length": network.shape.max_position_embeddings,
        },
    }
    for name, document in documents.items():
        (directory / name).write_text(json.dumps(document, indent=1) + "\n")
    (directory / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    weights.write(network, directory / "model.safetensors")


@torch.no_grad()
def check(network: Network, conversations: Conversations, directory: Path) -> float:
    """The largest difference between our logits and those of transformers, with the weights as they were written."""
    from transformers import AutoModelForCausalLM

    Precision.products = torch.float32
    for parameter in network.parameters():
        parameter.copy_(parameter.bfloat16())
    reference = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    largest = 0.0
    for items in held_out_questions(count=2, seed=2).values():
        for made in items:
            batch, _ = plain_batch([made], conversations)
            ours = network(batch)[0]
            theirs = reference(batch.tokens.unsqueeze(0)).logits[0, batch.counted]
            largest = max(largest, (ours - theirs).abs().max().item())
    if largest > LOGIT_TOLERANCE:
        raise SystemExit(f"logits differ from transformers' by {largest:.3f}, more than {LOGIT_TOLERANCE}")
    return largest


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the trained network as a Hugging Face model directory.")
    root = Path(__file__).resolve().parents[3]
    parser.add_argument("--work", type=Path, default=root / ".build-train", help="checkpoints (default %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="the directory to write")
    parser.add_argument("--force", action="store_true", help="overwrite a model that lies there")
    arguments = parser.parse_args()
    if (arguments.output / "model.safetensors").exists() and not arguments.force:
        print(f"{arguments.output} holds a model already; --force overwrites it", file=sys.stderr)
        return 1
    network = Network(Shape())
    network.load_state_dict(torch.load(arguments.work / "checkpoint.pt", map_location="cpu")["network"])
    tokenizer = Tokenizer.from_file(str(arguments.work / "tokenizer.json"))
    write(network, tokenizer, arguments.output)
    conversations = Conversations(tokenizer, network.shape.max_position_embeddings)
    largest = check(network, conversations, arguments.output)
    size = sum(file.stat().st_size for file in arguments.output.iterdir())
    print(f"wrote {arguments.output}: {size / 1e6:.1f} MB; logits differ from transformers' by at most {largest:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
