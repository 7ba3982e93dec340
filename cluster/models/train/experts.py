"""The experts of one layer, trained without wasting work: each sees exactly the tokens that chose it.

Written as one differentiable function, because the way through PyTorch's own operations would keep several copies of
everything. Tokens are sorted by expert, so that each expert is three matrix products over a contiguous range. Ranges
are rounded up, because the library behind a product compiles code for every new size, which takes longer than the
product.
"""

import torch
from torch import Tensor
from torch.nn import functional


ROWS_MULTIPLE = 64


class Experts(torch.autograd.Function):
    """Sum over the chosen experts of weight × down(silu(gate(x)) × up(x)).

    Shapes: x [N, D], chosen [N, K] integers, weights [N, K], gate and up [E, F, D], down [E, D, F]; the result [N, D].
    """

    @staticmethod
    def forward(context, x: Tensor, chosen: Tensor, weights: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
        ends, slots = sorted_by_expert(chosen, len(down))
        # What lies between the ranges is computed and never looked at; its weight is zero.
        tokens = torch.zeros(ends[-1], dtype=torch.long, device=x.device)
        tokens[slots] = torch.arange(chosen.numel(), device=x.device) // chosen.shape[1]
        sorted_weights = torch.zeros(ends[-1], 1, dtype=x.dtype, device=x.device)
        sorted_weights[slots, 0] = weights.flatten().to(x.dtype)
        rows = x[tokens]
        projected = each_expert(ends, rows, gate_up.transpose(1, 2))
        gate, up = projected.chunk(2, dim=1)
        hidden = functional.silu(gate) * up
        results = each_expert(ends, hidden, down.transpose(1, 2))[slots].view(*chosen.shape, -1)
        context.save_for_backward(gate_up, down, tokens, slots, sorted_weights, rows, projected, results)
        context.ends = ends
        return torch.bmm(weights.to(results.dtype).unsqueeze(1), results).squeeze(1)

    @staticmethod
    def backward(context, gradient: Tensor):
        gate_up, down, tokens, slots, sorted_weights, rows, projected, results = context.saved_tensors
        ends = context.ends
        gradient = gradient.contiguous()
        weights_gradient = torch.bmm(results, gradient.unsqueeze(2)).squeeze(2).float()
        results_gradient = gradient[tokens] * sorted_weights
        gate, up = projected.chunk(2, dim=1)
        activation = functional.silu(gate)
        hidden = activation * up
        down_gradient = each_expert_outer(ends, results_gradient, hidden, down)
        hidden_gradient = each_expert(ends, results_gradient, down)
        sigmoid = torch.sigmoid(gate)
        projected_gradient = torch.empty_like(projected)
        gate_gradient, up_gradient = projected_gradient.chunk(2, dim=1)
        torch.mul(hidden_gradient, activation, out=up_gradient)
        gate_gradient.copy_(hidden_gradient * up * (sigmoid + activation * (1 - sigmoid)))
        gate_up_gradient = each_expert_outer(ends, projected_gradient, rows, gate_up)
        rows_gradient = each_expert(ends, projected_gradient, gate_up)
        x_gradient = rows_gradient[slots].view(*weights_gradient.shape, -1).sum(dim=1)
        return x_gradient, None, weights_gradient, gate_up_gradient, down_gradient


def sorted_by_expert(chosen: Tensor, expert_count: int) -> tuple[list[int], Tensor]:
    """Where each expert's range of rows ends, and the row of each choice, in the order of `chosen.flatten()`."""
    flat = chosen.flatten()
    counts = flat.bincount(minlength=expert_count)
    sizes = (counts + ROWS_MULTIPLE - 1) // ROWS_MULTIPLE * ROWS_MULTIPLE
    ends, order = sizes.cumsum(0), flat.argsort()
    padding_before = (ends - sizes) - (counts.cumsum(0) - counts)
    slots = torch.empty_like(flat)
    slots[order] = torch.arange(len(flat), device=flat.device) + padding_before[flat[order]]
    return ends.tolist(), slots


def each_expert(ends: list[int], rows: Tensor, matrices: Tensor) -> Tensor:
    """rows [start:end] × matrix, expert by expert."""
    result = torch.empty(len(rows), matrices.shape[2], dtype=rows.dtype, device=rows.device)
    start = 0
    for end, matrix in zip(ends, matrices):
        if end > start:
            torch.mm(rows[start:end], matrix, out=result[start:end])
        start = end
    return result


def each_expert_outer(ends: list[int], left: Tensor, right: Tensor, like: Tensor) -> Tensor:
    """The gradients of the experts' matrices: left [start:end]ᵀ × right [start:end]."""
    result = torch.zeros_like(like)
    start = 0
    for end, gradient in zip(ends, result):
        if end > start:
            torch.mm(left[start:end].t(), right[start:end], out=gradient)
        start = end
    return result
