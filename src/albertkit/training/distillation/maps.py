"""Initialize the maps into the teacher's space by least squares or from the checkpoint; extract one of them.

The vectors of a trained network vary much more in some directions than in others. A map with random weights takes
thousands of steps to fit the directions of low variance, and its gradients disturb the network meanwhile.
"""

from __future__ import annotations

import torch
from torch import Tensor

from albertkit.checkpoints.dense import Dense
from albertkit.hardware.device import Execution
from albertkit.tasks.distillation.objective import DistillObjective
from albertkit.tasks.pooling import pooled_features
from albertkit.training.distillation.batches import DistillBatches

TEXTS = 4000
"""Texts that the maps are fitted to, at most."""
RIDGE = 1e-3
"""Of the mean variance of a direction, added to that of each: few texts fit no noise."""


def map_of_the_mean(objective: DistillObjective) -> Dense:
    """Return a copy of the map of the mean, as the student keeps it."""
    linear = objective.maps["mean"]
    weight, bias = (getattr(linear, leaf).detach().float().cpu().numpy().copy() for leaf in ("weight", "bias"))
    return Dense(weight, bias)


def fit_maps(
    objective: DistillObjective, plain: DistillBatches, *, execution: Execution, mean: Dense | None = None
) -> None:
    """Set the maps to the regularized least squares from the network's vectors to the teacher's.

    Args:
        objective: network and maps, on the device.
        plain: texts without masks; the first `TEXTS` are used.
        execution: device and precision.
        mean: the map to begin with for the mean, from an earlier distillation; default: fitted.
    """
    own: dict[str, list[Tensor]] = {name: [] for name in objective.maps}
    targets: list[Tensor] = []
    was_training = objective.training
    objective.eval()
    with torch.no_grad(), execution.autocast():
        for batch, teacher in plain.first(TEXTS).in_order():
            encoded = objective.network(batch.batch)
            targets.append(teacher.double())
            for name, vectors in own.items():
                vectors.append(pooled_features(encoded, pooling=name).cpu().double())
    objective.train(was_training)
    for name, vectors in own.items():
        if name == "mean" and mean is not None:
            weight, bias = torch.from_numpy(mean.weight), torch.from_numpy(mean.bias)
        else:
            weight, bias = least_squares(torch.cat(vectors), torch.cat(targets))
        objective.maps[name].load_state_dict({"weight": weight.float(), "bias": bias.float()})


def least_squares(own: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the linear map from rows to rows, with a small ridge.

    >>> own = torch.tensor([[0.0], [1.0], [2.0]]).double()
    >>> weight, bias = least_squares(own, 2 * own + 1)
    >>> round(weight.item(), 2), round(bias.item(), 2)
    (2.0, 1.0)

    Args:
        own: `[texts, hidden]`, in fp64.
        targets: `[texts, dimensions]`, in fp64.
    """
    mean, target_mean = own.mean(0), targets.mean(0)
    centred = own - mean
    covariance = centred.T @ centred / len(own)
    ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
    covariance += ridge * torch.eye(len(covariance), dtype=covariance.dtype)
    weight = torch.linalg.solve(covariance, centred.T @ (targets - target_mean) / len(own)).T
    return weight, target_mean - weight @ mean
