"""The Muon optimiser: steps along an orthogonalised momentum, for the matrices inside the network.

After Keller Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024). Matrices may come in
stacks: an expert's matrix is one matrix, wherever it lies.
"""

import torch
from torch import Tensor


def orthogonalised(gradient: Tensor, step_count: int = 5) -> Tensor:
    """About U Vᵀ of the singular value decomposition U S Vᵀ, by a quintic Newton-Schulz iteration."""
    x = gradient.bfloat16()
    is_tall = x.shape[-2] > x.shape[-1]
    if is_tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(step_count):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.mT if is_tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; `lr` is the size of a step relative to an orthogonal matrix."""

    def __init__(self, parameters, lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                direction = orthogonalised(parameter.grad.lerp(momentum, group["momentum"]))
                scale = max(1, parameter.shape[-2] / parameter.shape[-1]) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(direction, alpha=-group["lr"] * scale)
