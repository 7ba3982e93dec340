"""The network, in the shape of the Qwen3-MoE family, for training on few cores.

The same mathematics as `Qwen3MoeForCausalLM` of transformers, which `export.py` checks; other code, because that one
is several times slower on a processor. Matrix products run in bfloat16, everything between them in float32. A batch is
one flat list of tokens; only attention knows that it consists of rows of several lengths.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from batches import Batch
from experts import Experts


@dataclass(frozen=True)
class Shape:
    """The model's sizes, in the words of its `config.json`."""

    vocab_size: int = 1536
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 64
    num_experts: int = 24
    num_experts_per_tok: int = 4
    moe_intermediate_size: int = 80
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 8192


class Precision:
    """In what type matrix products run, in the whole program."""

    products = torch.bfloat16


def product(x: Tensor, matrix: Tensor) -> Tensor:
    return functional.linear(x.to(Precision.products), matrix.to(Precision.products))


def initial(*sizes: int) -> nn.Parameter:
    """Normal, with the variance that keeps that of the inputs."""
    return nn.Parameter(torch.randn(*sizes) / math.sqrt(sizes[-1]))


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        width = shape.head_dim
        self.q_proj = initial(shape.num_attention_heads * width, shape.hidden_size)
        self.k_proj = initial(shape.num_key_value_heads * width, shape.hidden_size)
        self.v_proj = initial(shape.num_key_value_heads * width, shape.hidden_size)
        self.o_proj = nn.Parameter(torch.zeros(shape.hidden_size, shape.num_attention_heads * width))
        self.q_norm = nn.Parameter(torch.ones(width))
        self.k_norm = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor, batch: Batch, rotation: tuple[Tensor, Tensor]) -> Tensor:
        shape = self.shape
        projections = product(x, torch.cat([self.q_proj, self.k_proj, self.v_proj])).float()
        heads = projections.view(len(x), -1, shape.head_dim)
        query, key, value = heads.split(
            [shape.num_attention_heads, shape.num_key_value_heads, shape.num_key_value_heads], dim=1)
        query = rotated(functional.rms_norm(query, (shape.head_dim,), self.q_norm, shape.rms_norm_eps), rotation)
        key = rotated(functional.rms_norm(key, (shape.head_dim,), self.k_norm, shape.rms_norm_eps), rotation)
        group = shape.num_attention_heads // shape.num_key_value_heads
        key, value = key.repeat_interleave(group, dim=1), value.repeat_interleave(group, dim=1)
        results = []
        for part in batch.parts:
            views = [
                tensor[part.start:part.end].view(-1, part.row_length, shape.num_attention_heads, shape.head_dim)
                for tensor in (query, key, value)
            ]
            result = functional.scaled_dot_product_attention(
                *(view.transpose(1, 2) for view in views), attn_mask=part.mask)
            results.append(result.transpose(1, 2).reshape(part.end - part.start, -1))
        return product(torch.cat(results), self.o_proj)


def rotated(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding, halves rotated against each other."""
    cosine, sine = rotation
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class Mixture(nn.Module):
    """The router and the experts of one layer."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        count, inner, width = shape.num_experts, shape.moe_intermediate_size, shape.hidden_size
        self.router = initial(count, width)
        self.gate = initial(count, inner, width)
        self.up = initial(count, inner, width)
        self.down = nn.Parameter(torch.zeros(count, width, inner))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The experts' sum, and how unevenly they are used (1 is even; Switch Transformers, Fedus et al. 2021)."""
        probabilities = functional.linear(x, self.router).softmax(dim=-1)
        weights, chosen = probabilities.topk(self.shape.num_experts_per_tok, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        gate_up = torch.cat([self.gate, self.up], dim=1).to(Precision.products)
        down = self.down.to(Precision.products)
        result = Experts.apply(x.to(Precision.products), chosen, weights, gate_up, down)
        shares = chosen.flatten().bincount(minlength=self.shape.num_experts) / chosen.numel()
        return result, self.shape.num_experts * (shares * probabilities.mean(dim=0)).sum()


class Layer(nn.Module):
    """Attention and experts, each after a norm and added to the stream."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.input_layernorm = nn.Parameter(torch.ones(shape.hidden_size))
        self.attention = Attention(shape)
        self.post_attention_layernorm = nn.Parameter(torch.ones(shape.hidden_size))
        self.mixture = Mixture(shape)

    def forward(self, x: Tensor, batch: Batch, rotation: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x = x + self.attention(self.normed(x, self.input_layernorm), batch, rotation)
        result, unevenness = self.mixture(self.normed(x, self.post_attention_layernorm))
        return x + result, unevenness

    def normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(x, (self.shape.hidden_size,), weight, self.shape.rms_norm_eps)


class Network(nn.Module):
    """Embedding, layers, final norm, and the embedding again as head."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.randn(shape.vocab_size, shape.hidden_size) * 0.02)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden_size))
        half = shape.head_dim // 2
        self.register_buffer("frequencies", shape.rope_theta ** (-torch.arange(half) / half), persistent=False)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits at the positions that count, and the mean unevenness of the layers."""
        angles = batch.positions.float().unsqueeze(1) * self.frequencies
        rotation = (angles.cos().unsqueeze(1), angles.sin().unsqueeze(1))
        x = functional.embedding(batch.tokens, self.embedding)
        unevenness = torch.zeros((), device=x.device)
        for layer in self.layers:
            x, of_layer = layer(x, batch, rotation)
            unevenness = unevenness + of_layer / len(self.layers)
        x = functional.rms_norm(x[batch.counted], (self.shape.hidden_size,), self.norm, self.shape.rms_norm_eps)
        return product(x, self.embedding).float(), unevenness
