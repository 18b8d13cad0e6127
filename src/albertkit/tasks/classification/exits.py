"""Exits: a classification head after every layer but the last, and the loss that trains them with it.

Zhou et al. 2020, "BERT Loses Patience: Fast and Robust Inference with Early Exit" (arXiv 2006.04152). Letters:
sequences S, layers L, hidden H.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from albertkit.batching.batch import Batch, IntArray
from albertkit.config import AlbertConfig
from albertkit.encoder.kernels import distinct_rows
from albertkit.errors import UsageError
from albertkit.tasks.classification.head import ClassificationObjective
from albertkit.tasks.head_spec import LINEAR, HeadSpec
from albertkit.tasks.network import Network
from albertkit.tasks.pooling import pooled_features

EXITS = "exits"
"""Name of the exits in canonical state: `heads.exits.N.*` reads the states after layer N + 1."""


def build_exits(
    objective: ClassificationObjective, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR
) -> nn.ModuleList:
    """Return fresh heads for every layer but the last, whose head is the task's own.

    Args:
        objective: objective of the task.
        config: configuration of the encoder.
        num_outputs: number of outputs of each head.
        spec: of each, as of the task's own head.

    Raises:
        UsageError: a network of one layer.
    """
    if config.num_hidden_layers < 2:
        raise UsageError("early exits need a network of two layers or more; this one has one layer")
    return nn.ModuleList(objective.build(config, num_outputs, spec) for _ in range(config.num_hidden_layers - 1))


def every_head(network: Network, *, head: str) -> nn.ModuleList:
    """Return the exits in the order of the layers, and after them the task's own head; the same objects."""
    exits = network.heads[EXITS]
    assert isinstance(exits, nn.ModuleList)
    return nn.ModuleList([*exits, network.heads[head]])


def exit_states(network: Network, batch: Batch, *, pooling: str) -> Float[Tensor, "sequences layers hidden"]:
    """Return what the head of each layer reads, `[S, L, H]`, fp32.

    Args:
        network: its pooler is the same for all layers.
        batch: packed sequences.
        pooling: of `albertkit.tasks.pooling.HEAD_POOLINGS`.
    """
    output = network(batch, with_hidden_states=True)
    assert output.hidden_states is not None
    starts = output.lengths.cumsum(0) - output.lengths
    rows = []
    for hidden in output.hidden_states[1:]:
        pooled = output.pooled_output
        if pooling == "pooler":
            pooled = torch.tanh(network.encoder.pooler(distinct_rows(hidden, starts)))
        layer = replace(output, sequence_output=hidden, pooled_output=pooled)
        rows.append(pooled_features(layer, pooling=pooling).float())
    return torch.stack(rows, dim=1)  # S L H


class ExitObjective(ClassificationObjective):
    """The loss of every head at once; what is scored is the last head, so that a run is chosen at full depth."""

    def losses(
        self,
        head: nn.Module,
        states: Tensor,
        *,
        lengths: IntArray,
        counts: IntArray,
        targets: Tensor,
        segments: IntArray | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the last head's rows, and of each unit the mean of all heads' losses, weighted 1, 2, .. L.

        The weights are the paper's (section 3.3): later heads have more of the network to answer for.

        Args:
            head: what `every_head` gives.
            states: `[S, L, H]`, see `exit_states`.
            lengths: tokens of each sequence.
            counts: sequences of each unit.
            targets: by unit.
            segments: not read.
        """
        del segments
        assert isinstance(head, nn.ModuleList)
        rows = [own(states[:, layer]) for layer, own in enumerate(head)]
        losses = torch.stack([self.losses_of(each, lengths=lengths, counts=counts, targets=targets) for each in rows])
        weights = torch.arange(1, len(rows) + 1, dtype=losses.dtype, device=losses.device)
        return rows[-1], (weights / weights.sum()) @ losses
