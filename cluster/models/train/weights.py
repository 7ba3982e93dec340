"""The weights by the names of the published format."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from network import Network


def named(network: Network) -> dict[str, Tensor]:
    """Views of the parameters: what is written into them is in the network."""
    views = {"model.embed_tokens.weight": network.embedding, "model.norm.weight": network.norm}
    for index, layer in enumerate(network.layers):
        prefix = f"model.layers.{index}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            views[f"{prefix}.{norm}.weight"] = getattr(layer, norm)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm"):
            views[f"{prefix}.self_attn.{name}.weight"] = getattr(layer.attention, name)
        views[f"{prefix}.mlp.gate.weight"] = layer.mixture.router
        for expert in range(network.shape.num_experts):
            for name in ("gate", "up", "down"):
                views[f"{prefix}.mlp.experts.{expert}.{name}_proj.weight"] = getattr(layer.mixture, name)[expert]
    return {name: view.detach() for name, view in views.items()}


def write(network: Network, path: Path):
    """One file, in bfloat16."""
    tensors = {name: view.bfloat16().contiguous() for name, view in named(network).items()}
    save_file(tensors, path, metadata={"format": "pt"})


def read(network: Network, path: Path):
    """Replaces the weights by those of a file."""
    tensors, views = load_file(path), named(network)
    if tensors.keys() != views.keys():
        raise SystemExit(f"{path} holds another model: {sorted(tensors.keys() ^ views.keys())[:4]}…")
    for name, view in views.items():
        if tensors[name].shape != view.shape:
            raise SystemExit(f"{path}: {name} is {list(tensors[name].shape)}, not {list(view.shape)}")
        view.copy_(tensors[name].to(torch.float32))
