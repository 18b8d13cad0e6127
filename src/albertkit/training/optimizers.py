"""AdamW, Adam and LAMB, with or without bias correction; no decay on biases and norms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from albertkit.errors import UsageError, did_you_mean

OPTIMIZERS = ("adamw", "adam", "lamb")
BETAS = (0.9, 0.999)
EPSILON = 1e-6


def parameter_groups(
    modules: Iterable[nn.Module], *, weight_decay: float, rate_factors: Mapping[Tensor, float] | None = None
) -> list[dict[str, Any]]:
    """Split trainable parameters into decayed weights, and biases and norms without decay (`optimization.py`).

    Args:
        modules: what is trained.
        weight_decay: weight decay of the first group.
        rate_factors: parameters whose learning rate is the others' times a factor; those of one factor share groups.
    """
    factors = rate_factors or {}
    # The groups of factor 1 come first, whatever the order of the modules.
    parts: dict[tuple[float, bool], list[Tensor]] = {(1.0, True): [], (1.0, False): []}
    for module in modules:
        for part in module.modules():
            for name, parameter in part.named_parameters(recurse=False):
                if parameter.requires_grad:
                    decays = not (isinstance(part, nn.LayerNorm | nn.BatchNorm1d) or name == "bias")
                    parts.setdefault((factors.get(parameter, 1.0), decays), []).append(parameter)
    return [
        {"params": members, "weight_decay": weight_decay if decays else 0.0, "adapt": decays, "rate_factor": factor}
        for (factor, decays), members in parts.items()
        if members
    ]


class UncorrectedAdamW(torch.optim.Optimizer):
    """AdamW as Google's ALBERT code has it (`optimization.py`): no bias correction, so its first steps are large.

    `bias_correction` brings Adam's own correction back.
    """

    def __init__(
        self,
        params: Any,
        *,
        lr: float,
        betas: tuple[float, float] = BETAS,
        eps: float = EPSILON,
        weight_decay: float = 0.01,
        bias_correction: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "adapt": True})
        self.bias_correction = bias_correction

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["exp_avg"] = torch.zeros_like(parameter)
                    state["exp_avg_sq"] = torch.zeros_like(parameter)
                    state["step"] = 0
                state["step"] += 1
                first = state["exp_avg"].lerp_(parameter.grad, 1 - beta1)
                second = state["exp_avg_sq"].mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1 - beta2)
                if self.bias_correction:
                    first = first / (1 - beta1 ** state["step"])
                    second = second / (1 - beta2 ** state["step"])
                update = first / second.sqrt().add_(group["eps"])
                update.add_(parameter, alpha=group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * self.trust(parameter, update, adapt=group["adapt"]))

    def trust(self, parameter: Tensor, update: Tensor, *, adapt: bool) -> float:  # noqa: ARG002 - LAMB needs them
        """Return the factor on the learning rate of one parameter."""
        return 1.0


class Lamb(UncorrectedAdamW):
    """LAMB without bias correction (`lamb_optimizer.py`): Adam's direction, scaled to the length of each weight.

    Groups with `adapt` false (biases, norms) take the direction unscaled.
    """

    def trust(self, parameter: Tensor, update: Tensor, *, adapt: bool) -> float:
        """Return length of the weight / length of the update; 1 where either is 0 or the group is not adapted."""
        if not adapt:
            return 1.0
        weight_norm, update_norm = parameter.norm().item(), update.norm().item()
        return weight_norm / update_norm if weight_norm > 0 and update_norm > 0 else 1.0


def build_optimizer(
    name: str,
    modules: Iterable[nn.Module],
    *,
    weight_decay: float,
    bias_correction: bool = True,
    betas: tuple[float, float] = BETAS,
    rate_factors: Mapping[Tensor, float] | None = None,
) -> torch.optim.Optimizer:
    """Return an optimizer over the trainable parameters; the loop sets the rate before each step.

    Each of its groups has a `rate_factor`, 1 but for those of `rate_factors`; it is the loop that multiplies by it.

    Args:
        name: `adamw` (decoupled decay), `adam` (no decay, as the two tutorials use it), or `lamb`.
        modules: what is trained.
        weight_decay: decay per unit of learning rate, for weights only.
        bias_correction: False is Google's form, made for large batches.
        betas: how far the running means of gradient and squared gradient look back.
        rate_factors: see `parameter_groups`.

    Raises:
        UsageError: an unknown name.
    """
    groups = parameter_groups(modules, weight_decay=0.0 if name == "adam" else weight_decay, rate_factors=rate_factors)
    if name == "lamb":
        return Lamb(groups, lr=0.0, betas=betas, bias_correction=bias_correction)
    if name == "adamw" and not bias_correction:
        return UncorrectedAdamW(groups, lr=0.0, betas=betas)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=EPSILON, fused=True)
    if name == "adam":
        return torch.optim.Adam(groups, lr=0.0, betas=betas, fused=True)
    raise UsageError(f'unknown optimizer "{name}"{did_you_mean(name, OPTIMIZERS)} (known: {", ".join(OPTIMIZERS)})')
