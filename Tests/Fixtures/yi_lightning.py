"""The family `yi_lightning`, as Colony defines it: no weights and no code of Yi-Lightning are published, its report
(arXiv 2412.01253) says in words what it has.

A layer has grouped-query attention and a mixture of experts, each after a norm. Which earlier tokens it sees is told by
`layer_types`: "sliding_attention" the last `sliding_window`, itself included, "full_attention" all; every third layer
is full where the key is missing. `kv_source_layer` names for each layer the one whose keys and values, rotated already,
it attends to: itself, or an earlier layer of its kind that has its own. Where the key is missing, layers of a kind take
turns: one has its own, the next reads those.
"""
import types

import torch
from torch import nn


def layer_types(settings):
    given = settings.get("layer_types")
    return given or [
        "full_attention" if index % 3 == 2 else "sliding_attention" for index in range(settings["num_hidden_layers"])]


def sources(settings):
    if settings.get("kv_source_layer"):
        return settings["kv_source_layer"]
    result, waiting = [], {}
    for index, kind in enumerate(layer_types(settings)):
        source = waiting.pop(kind, index)
        if source == index:
            waiting[kind] = index
        result.append(source)
    return result


class Norm(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(settings["hidden_size"]))
        self.epsilon = settings["rms_norm_eps"]

    def forward(self, rows):
        return self.weight * rows / (rows.square().mean(-1, keepdim=True) + self.epsilon).sqrt()


class Attention(nn.Module):
    def __init__(self, settings, has_own_keys):
        super().__init__()
        hidden, self.width = settings["hidden_size"], settings["head_dim"]
        self.heads, self.key_heads = settings["num_attention_heads"], settings["num_key_value_heads"]
        self.q_proj = nn.Linear(hidden, self.heads * self.width, bias=False)
        self.o_proj = nn.Linear(self.heads * self.width, hidden, bias=False)
        if has_own_keys:
            self.k_proj = nn.Linear(hidden, self.key_heads * self.width, bias=False)
            self.v_proj = nn.Linear(hidden, self.key_heads * self.width, bias=False)

    def keys_and_values(self, rows, turn):
        parts = (len(rows), self.key_heads, self.width)
        return turn(self.k_proj(rows).view(parts)), self.v_proj(rows).view(parts)

    def forward(self, rows, turn, keys, values, visible):
        queries = turn(self.q_proj(rows).view(len(rows), self.key_heads, -1, self.width).flatten(1, 2))
        queries = queries.view(len(rows), self.key_heads, -1, self.width)
        scores = torch.einsum("qhgd,khd->hgqk", queries, keys) / self.width ** 0.5
        weights = scores.masked_fill(~visible, float("-inf")).softmax(-1)
        return self.o_proj(torch.einsum("hgqk,khd->qhgd", weights, values).flatten(1))


class Expert(nn.Module):
    def __init__(self, settings):
        super().__init__()
        hidden, width = settings["hidden_size"], settings["moe_intermediate_size"]
        self.gate_proj = nn.Linear(hidden, width, bias=False)
        self.up_proj = nn.Linear(hidden, width, bias=False)
        self.down_proj = nn.Linear(width, hidden, bias=False)

    def forward(self, rows):
        return self.down_proj(nn.functional.silu(self.gate_proj(rows)) * self.up_proj(rows))


class Router(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(settings["num_experts"], settings["hidden_size"]))
        self.chosen = settings["num_experts_per_tok"]

    def forward(self, rows):
        logits = rows @ self.weight.T
        best = logits.softmax(-1).topk(self.chosen, -1)
        return logits, best.values / best.values.sum(-1, keepdim=True), best.indices


class Mixture(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.gate = Router(settings)
        self.experts = nn.ModuleList(Expert(settings) for _ in range(settings["num_experts"]))

    def forward(self, rows):
        _, weights, chosen = self.gate(rows)
        result = torch.zeros_like(rows)
        for index, expert in enumerate(self.experts):
            share = (weights * (chosen == index)).sum(-1, keepdim=True)
            result = result + share * expert(rows)
        return result


class Layer(nn.Module):
    def __init__(self, settings, has_own_keys):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(settings), Norm(settings)
        self.self_attn = Attention(settings, has_own_keys)
        self.mlp = Mixture(settings)


class YiLightning(nn.Module):
    """The whole sequence at once, in the precision of the weights; answers as the classes of transformers do."""

    def __init__(self, settings, rope_theta):
        super().__init__()
        self.config = types.SimpleNamespace(tie_word_embeddings=settings["tie_word_embeddings"])
        self.settings, self.rope_theta = settings, rope_theta
        self.sources, self.kinds = sources(settings), layer_types(settings)
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(settings["vocab_size"], settings["hidden_size"])
        self.model.layers = nn.ModuleList(
            Layer(settings, source == index) for index, source in enumerate(self.sources))
        self.model.norm = Norm(settings)
        self.lm_head = nn.Linear(settings["hidden_size"], settings["vocab_size"], bias=False)
        if settings["tie_word_embeddings"]:
            self.lm_head.weight = self.model.embed_tokens.weight

    def turning(self, count):
        """What turns heads of `count` rows by their positions: the first half of a head against the second."""
        half = self.settings["head_dim"] // 2
        frequencies = self.rope_theta ** -(torch.arange(half, dtype=torch.float32) / half)
        angles = (torch.arange(count, dtype=torch.float32)[:, None] * frequencies)[:, None]
        cosine, sine = angles.cos(), angles.sin()

        def turn(heads):
            first, second = heads.split(half, -1)
            return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)
        return turn

    def forward(self, ids, use_cache=False):
        hidden = self.model.embed_tokens(ids[0])
        turn = self.turning(len(hidden))
        places = torch.arange(len(hidden))
        distance = places[:, None] - places
        visible = {
            "full_attention": distance >= 0,
            "sliding_attention": (distance >= 0) & (distance < self.settings.get("sliding_window", 0))}
        kept = {}
        for index, layer in enumerate(self.model.layers):
            rows = layer.input_layernorm(hidden)
            if self.sources[index] == index:
                kept[index] = layer.self_attn.keys_and_values(rows, turn)
            hidden = hidden + layer.self_attn(rows, turn, *kept[self.sources[index]], visible[self.kinds[index]])
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return types.SimpleNamespace(logits=self.lm_head(self.model.norm(hidden))[None])


def fuse_experts(tensors):
    """The experts of each layer as two 3-D tensors, as transformers 5 has them for other families."""
    fused, parts = {}, {}
    for name, tensor in tensors.items():
        before, found, after = name.partition(".experts.")
        if not found:
            fused[name] = tensor
            continue
        index, part, _ = after.split(".")
        parts.setdefault(before + ".experts", {}).setdefault(part, {})[int(index)] = tensor
    for prefix, projections in parts.items():
        stacked = {part: torch.stack([ones[index] for index in sorted(ones)]) for part, ones in projections.items()}
        fused[prefix + ".gate_up_proj"] = torch.cat([stacked["gate_proj"], stacked["up_proj"]], 1)
        fused[prefix + ".down_proj"] = stacked["down_proj"]
    return fused
