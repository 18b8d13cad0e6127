"""What runs through a network's layers on some texts: means, covariances, and sizes before the normalizations.

Letters: hidden H, feed-forward units I.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from albertkit.batching.batch import Batch
from albertkit.encoder.layer import Group, Layer, activate
from albertkit.tasks.network import Network


def layers_of(network: Network) -> list[Layer]:
    """Return every layer that has its own weights, by group."""
    return [layer for group in network.encoder.groups if isinstance(group, Group) for layer in group.inner]


def double(tensor: Tensor) -> Tensor:
    """Return a copy in fp64 on the processor, without a gradient."""
    return tensor.detach().cpu().double()


class Moments:
    """Mean and covariance of rows that come in parts."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self._sum = torch.zeros(size, dtype=torch.float64)
        self._products = torch.zeros(size, size, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Count rows `[rows, size]`."""
        rows = double(rows)
        self.count += len(rows)
        self._sum += rows.sum(0)
        self._products += rows.T @ rows

    @property
    def mean(self) -> Tensor:
        """Mean of the rows, `[size]`."""
        return self._sum / self.count

    @property
    def covariance(self) -> Tensor:
        """Covariance of the rows, `[size, size]`."""
        return self._products / self.count - torch.outer(self.mean, self.mean)


@dataclass
class LayerMoments:
    """What one layer's weights meet at all depths that use them."""

    inputs: Moments
    attended: Moments
    """States after the attention's normalization."""
    scales: Tensor
    """Sums of 1 / standard deviation before each of the two normalizations, and of tokens, `[2, 2]`."""
    units: Tensor
    """Sums of the feed-forward units' outputs and of their squares, `[2, I]`."""

    def watch_scales(self, layer: Layer) -> None:
        """Add up the scales of whatever runs through a layer from now on."""

        def scale(place: int) -> Callable[..., None]:
            def norm(_: nn.Module, inputs: tuple[Any, ...], _output: Tensor) -> None:
                found = double(inputs[0]).std(1, correction=0).reciprocal()
                self.scales[place] += torch.stack([found.sum(), torch.tensor(float(len(found)), dtype=found.dtype)])

            return norm

        for place, module in enumerate((layer.attention.norm, layer.ffn.norm)):
            module.register_forward_hook(scale(place))

    def watch_states(self, layer: Layer, activation: str) -> None:
        """Add up the states and units of whatever runs through a layer from now on."""

        def attention(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            self.inputs.add(inputs[0])
            self.attended.add(output)
            units = double(activate(layer.ffn.up(output), activation))
            self.units += torch.stack([units.sum(0), units.square().sum(0)])

        layer.attention.register_forward_hook(attention)

    @property
    def mean_scales(self) -> Tensor:
        """Mean of 1 / standard deviation before each of the two normalizations, `[2]`."""
        return self.scales[:, 0] / self.scales[:, 1]

    @property
    def unit_means(self) -> Tensor:
        """Mean output of each feed-forward unit, `[I]`."""
        return self.units[0] / self.inputs.count

    @property
    def unit_variances(self) -> Tensor:
        """Variance of each feed-forward unit's output, `[I]`."""
        return self.units[1] / self.inputs.count - self.unit_means.square()


def measure(network: Network, batches: list[Batch], *, only_scales: bool = False) -> tuple[list[LayerMoments], Moments]:
    """Return the moments of each layer, and those of the last hidden states.

    Args:
        network: in evaluation or training mode; it is measured without dropout.
        batches: the texts.
        only_scales: leave out all but `LayerMoments.mean_scales`, which costs little more than to run the network.
    """
    watched = network.in_evaluation_mode(copied=True)  # hooks end with the copy
    config = network.config
    found = [
        LayerMoments(
            Moments(config.hidden_size),
            Moments(config.hidden_size),
            torch.zeros(2, 2, dtype=torch.float64),
            torch.zeros(2, config.intermediate_size, dtype=torch.float64),
        )
        for _ in layers_of(watched)
    ]
    for layer, moments in zip(layers_of(watched), found, strict=True):
        moments.watch_scales(layer)
        if not only_scales:
            moments.watch_states(layer, config.hidden_act)
    last = Moments(config.hidden_size)
    with torch.no_grad():
        for batch in batches:
            states = watched(batch).sequence_output
            if not only_scales:
                last.add(states)
    return found, last
