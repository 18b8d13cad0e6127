"""Checks of what a checkpoint holds, where torch would fail later or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from albertkit.training.optimizers import UncorrectedAdamW

MISFITS = (LookupError, RuntimeError, ValueError, TypeError, AttributeError, ArithmeticError)
"""What taking over a checkpoint of something else raises."""

_AVERAGES = ("exp_avg", "exp_avg_sq")


def misfit(folder: Any, error: Exception) -> str:
    """Return the sentence on a checkpoint that cannot be taken over.

    Args:
        folder: the run directory.
        error: one of `MISFITS`.
    """
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"{folder}: the checkpoint does not fit this run ({reason:.300}); the model or the data changed, so start the "
        "run again, with another --out"
    )


def whole_number(value: Any) -> int:
    """Return a count.

    Raises:
        ValueError: it is no whole number from 0 up.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"{value!r:.40} is not a count")
    return value


def history(value: Any) -> list[dict[str, dict[str, float]]]:
    """Return the scores of each epoch.

    Raises:
        LookupError, ValueError, TypeError, AttributeError: they are malformed.
    """
    epochs = [{split: dict(epoch[split]) for split in ("train", "validation")} for epoch in value]
    for epoch in epochs:
        for scores in epoch.values():
            if "loss" not in scores or not all(_is_score(score) for score in scores.values()):
                raise ValueError("its history is malformed")
    return epochs


def _is_score(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)


def check_weights(module: nn.Module, weights: Mapping[str, Any]) -> None:
    """Check that weights are those of a module, without loading them.

    Raises:
        ValueError: a name is missing or too many, or a shape differs.
    """
    own = module.state_dict()
    if weights.keys() != own.keys():
        raise ValueError(f"the weights are not those of this network: {sorted(map(str, weights.keys() ^ own.keys()))}")
    for name, tensor in own.items():
        if not isinstance(weights[name], Tensor) or weights[name].shape != tensor.shape:
            raise ValueError(f"the shape of {name} differs")


def load_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]) -> None:
    """Load an optimizer's averages; its options are settings of the run and have to be the same.

    Raises:
        LookupError, ValueError, TypeError: it is the state of another optimizer.
    """
    groups = optimizer.state_dict()["param_groups"]
    for own, group in zip(groups, saved["param_groups"], strict=True):
        for name, value in own.items():
            there = group.get(name, value)
            if name != "lr" and (list(there) if isinstance(value, tuple | list) else there) != (
                list(value) if isinstance(value, tuple) else value
            ):
                raise ValueError(f"the optimizer's {name} differs")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, state in saved["state"].items():
        if state.keys() != {"step", *_AVERAGES}:
            raise ValueError(f"the optimizer's state is {sorted(map(str, state))}")
        for name in _AVERAGES:
            if not isinstance(state[name], Tensor) or not state[name].is_floating_point():
                raise ValueError(f"the optimizer's {name} is not a tensor")
            if state[name].shape != parameters[number].shape:
                raise ValueError(f"the optimizer's {name} is of another shape")
            if parameters[number].is_contiguous() and not state[name].is_contiguous():
                raise ValueError(f"the optimizer's {name} repeats values in memory")  # it could not be written to
        if isinstance(optimizer, UncorrectedAdamW):
            whole_number(state["step"])
        elif not isinstance(state["step"], Tensor) or not 0 <= state["step"].item() < math.inf:
            raise ValueError("the optimizer's step is not a count")
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
