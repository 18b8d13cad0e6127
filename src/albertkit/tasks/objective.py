"""Objective: the part of a task that needs torch: its head, what the head makes of states, and the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.config import AlbertConfig
from albertkit.registry import resolve
from albertkit.tasks.head_spec import LINEAR, HeadSpec

if TYPE_CHECKING:
    from albertkit.tasks.task import Task


class Objective:
    """What a task does with the states of a batch; each task has its own in its `head.py`."""

    reads = "sequences"
    """`sequences`: one pooled vector of each; `tokens`: the last hidden state of each token."""
    sees_whole_step = False
    """Whether losses compare the units of an optimizer step with each other, so that it cannot be cut into passes."""
    averages = False
    """Whether a unit's output is the mean over its sequences (then training is scored as it goes)."""

    def of(self, task: Task) -> Objective:
        """Return the objective with the settings of a task; itself where its loss depends on none."""
        del task
        return self

    def build(self, config: AlbertConfig, num_outputs: int, spec: HeadSpec = LINEAR) -> nn.Module:
        """Return a fresh head.

        Args:
            config: configuration of the encoder.
            num_outputs: what `task.num_outputs` says.
            spec: its blocks before the last linear map, which only classifiers have, and what it reads.

        Raises:
            UsageError: this head cannot be.
        """
        raise NotImplementedError

    def outputs(
        self, head: nn.Module, states: Tensor, *, lengths: IntArray, segments: IntArray | None = None
    ) -> Tensor:
        """Return rows of numbers: one a sequence, or one a token, as `reads` says.

        Args:
            head: the task's head.
            states: `[sequences, hidden]` or `[tokens, hidden]`, fp32.
            lengths: tokens of each sequence, `[sequences]`.
            segments: token type of each token, `[tokens]`; None where only vectors of whole sequences are there.
        """
        del lengths, segments
        rows: Tensor = head(states)
        return rows

    def losses_of(self, rows: Tensor, *, lengths: IntArray, counts: IntArray, targets: Tensor) -> Tensor:
        """Return the loss of each unit, `[units]`, from what `outputs` gave.

        Args:
            rows: by sequence or by token.
            lengths: tokens of each sequence, `[sequences]`.
            counts: sequences of each unit, `[units]`.
            targets: what `albertkit.tasks.encoded.take` gave for the units.
        """
        raise NotImplementedError

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
        """Return `outputs` and the loss of each unit in training; arguments as above."""
        rows = self.outputs(head, states, lengths=lengths, segments=segments)
        return rows, self.losses_of(rows, lengths=lengths, counts=counts, targets=targets)


def objective_of(task: Task) -> Objective:
    """Import and return a task's objective."""
    found = resolve(task.objective)
    assert isinstance(found, Objective), task.objective
    return found.of(task)


def mean_by_unit(rows: Tensor, counts: IntArray) -> Tensor:
    """Return the mean of each unit's rows, `[units, ..]`; the rows themselves where each unit has one.

    >>> import numpy as np
    >>> mean_by_unit(torch.tensor([[1.0], [3.0], [5.0]]), np.array([2, 1])).tolist()
    [[2.0], [5.0]]
    """
    if len(counts) == len(rows):
        return rows
    sizes = torch.from_numpy(counts).to(rows.device)
    unit = torch.repeat_interleave(torch.arange(len(counts), device=rows.device), sizes, output_size=len(rows))
    return rows.new_zeros((len(counts), *rows.shape[1:])).index_add(0, unit, rows) / sizes[:, None]
