"""The training loop: a generator of Step. Callers log, evaluate, save and stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from albertkit.batching.batch import Batch
from albertkit.errors import RunError
from albertkit.hardware.device import Execution
from albertkit.tasks.encoded import Encoded, UnitTargets, take
from albertkit.tasks.network import Network
from albertkit.tasks.objective import Objective, mean_by_unit
from albertkit.tasks.pooling import head_states, reads_first_only
from albertkit.training.shares import Shares

Indices = npt.NDArray[np.int64]
Plan = Callable[[int], Sequence[Sequence[Indices]]]
"""Epoch (from 0) -> its optimizer steps -> the forward passes of each, as numbers of examples."""


class Inputs(Protocol):
    """Where the head's inputs come from."""

    trains: bool
    """Whether gradients flow below the head."""

    encoded: Encoded
    """The units and their sequences."""

    def states(self, units: Indices) -> Tensor:
        """Return what the head reads of these units: `[sequences, hidden]` or `[tokens, hidden]`."""
        ...


class TextInputs:
    """Sequences that pass the encoder at every step.

    Args:
        network: its encoder is trained.
        encoded: tokenised examples.
        execution: device and precision.
        reads: `sequences` or `tokens`, as the task's objective says.
        pooling: what the head reads of a sequence: `pooler`, `cls` or `mean`.
    """

    trains = True

    def __init__(
        self,
        network: Network,
        encoded: Encoded,
        *,
        execution: Execution,
        reads: str = "sequences",
        pooling: str = "pooler",
    ) -> None:
        self.network = network
        self.encoded = encoded
        self.execution = execution
        self.reads = reads
        self.pooling = pooling

    def states(self, units: Indices) -> Tensor:
        """Encode the units' sequences and return what the head reads in fp32."""
        first_only = reads_first_only(reads=self.reads, pooling=self.pooling)
        with self.execution.autocast():
            encoded = self.network(self.batch(units), first_only=first_only)
            return head_states(encoded, reads=self.reads, pooling=self.pooling)

    def batch(self, units: Indices) -> Batch:
        """Pack the units' sequences."""
        return Batch.pack(self.encoded.sequences[index] for index in self.encoded.sequences_of(units))


class FeatureInputs:
    """Features that were computed once; only the head is trained.

    Args:
        features: `[sequences, hidden]`.
        encoded: the units that the sequences are of.
    """

    trains = False

    def __init__(self, features: Tensor, encoded: Encoded) -> None:
        self.features = features
        self.encoded = encoded

    def states(self, units: Indices) -> Tensor:
        """Return rows of the features."""
        return self.features[torch.from_numpy(self.encoded.sequences_of(units))]


@dataclass(frozen=True)
class Step:
    """One optimizer step that was just made."""

    number: int
    """Counted from 1 over the whole run."""
    epoch: int
    """From 0."""
    last_of_epoch: bool
    loss: float
    """Mean over the step's examples."""
    learning_rate: float
    gradient_norm: float
    """Before clipping."""
    indices: Indices
    """Numbers of the step's examples."""
    logits: npt.NDArray[np.float32]
    """What the head said of each before the update, `[examples, outputs]`; empty of heads that say it of tokens."""
    losses: npt.NDArray[np.float32]
    """Each example's own loss, `[examples]`."""
    tokens: int
    seconds: float


@dataclass(frozen=True)
class HeadTraining:
    """What a loss is computed from."""

    inputs: Inputs
    """Where the head's states come from."""
    head: nn.Module
    objective: Objective
    """The head's loss."""
    targets: UnitTargets
    """What the loss compares with, by unit."""
    device: torch.device | str = "cpu"
    """Where the targets go."""
    shares: Shares = field(default_factory=Shares)
    """Who computes the passes."""

    def gradients(
        self, passes: Sequence[Indices], parameters: Sequence[nn.Parameter], *, seed: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Give the parameters the gradient of the mean loss over all passes; return logits and losses by unit."""
        inputs, head, objective, shares = self.inputs, self.head, self.objective, self.shares
        units = sum(len(indices) for indices in passes)
        encoded = inputs.encoded
        turn = threading.Lock()

        def head_losses(states: Tensor, indices: Indices) -> tuple[Tensor, Tensor]:
            counts = encoded.counts[indices]
            sequences = [encoded.sequences[index] for index in encoded.sequences_of(indices)]
            lengths = np.array([len(sequence) for sequence in sequences], np.int64)
            segments = np.concatenate([sequence.token_type_ids for sequence in sequences])
            wanted = torch.from_numpy(take(self.targets, indices)).to(self.device)
            rows, losses = objective.losses(
                head, states, lengths=lengths, counts=counts, targets=wanted, segments=segments
            )
            whole = objective.reads == "sequences" and objective.averages
            return mean_by_unit(rows, counts) if whole else rows.new_zeros((len(indices), 0)), losses

        def states_of(number: int, indices: Indices) -> Tensor:
            if shares.workers == 1:
                _seed(seed, number)
            return inputs.states(indices)

        def pass_loss(number: int, indices: Indices) -> tuple[Tensor, Tensor]:
            states = states_of(number, indices)
            with turn:
                if shares.workers > 1:  # the threads have one random generator, which their encoder does not use
                    _seed(seed, number)
                logits, losses = head_losses(states, indices)
            return losses.sum() / units, torch.cat([logits.detach().float(), losses.detach()[:, None]], dim=1)

        def step_loss(states: Tensor) -> tuple[Tensor, list[Tensor]]:
            if len(passes) > 1 or shares.count > 1:
                _seed(seed, len(passes))
            logits, losses = head_losses(states, np.concatenate(list(passes)))
            return losses.mean(), [torch.cat([logits.detach().float(), losses.detach()[:, None]], dim=1)]

        # Batch statistics, and losses that weigh examples against each other, are of the whole step.
        whole_step = getattr(head, "uses_batch_statistics", False) or objective.sees_whole_step
        if whole_step and inputs.trains:
            rows = shares.gradients_through(
                lambda number, indices: [states_of(number, indices)], passes, step_loss, parameters, device=self.device
            )
        else:
            passes = [np.concatenate(list(passes))] if whole_step else passes
            rows = shares.gradients(pass_loss, shares.own(passes), parameters)
            rows = shares.processes.joined(rows, len(passes), device=self.device)
        found = torch.cat(rows).cpu().numpy()
        return found[:, :-1], found[:, -1]


@dataclass(frozen=True)
class StepPlan:
    """Which examples each step reads, and how large the step is."""

    epochs: Plan
    rate: Callable[[int], float]
    """Step (from 0) -> learning rate."""
    total_steps: int
    clip_norm: float
    """Largest length of the gradient; 0 does not clip."""
    seed: int
    """Of dropout."""


def train_steps(
    training: HeadTraining, optimizer: torch.optim.Optimizer, plan: StepPlan, *, first_step: int = 0
) -> Iterator[Step]:
    """Train until the plan's last step, yielding after each optimizer step.

    Every step seeds torch from (seed, step), so a run that continues at `first_step` repeats what it would have done.

    Args:
        training: what the loss is computed from.
        optimizer: updates head (and encoder).
        plan: examples, rates and number of the steps.
        first_step: steps that were made before, where a run continues.

    Raises:
        RunError: the loss is not a finite number.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    inputs = training.inputs
    number = epoch = 0
    while number < plan.total_steps:
        steps = plan.epochs(epoch)
        for position, passes in enumerate(steps):
            if number >= plan.total_steps:
                return
            if number >= first_step:
                started = time.perf_counter()
                learning_rate = plan.rate(number)
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate
                logits, losses = training.gradients(passes, parameters, seed=plan.seed * 1_000_003 + number)
                loss = float(losses.mean())
                if not np.isfinite(loss):
                    raise RunError(diverged(f"the loss became {loss}", number + 1, learning_rate))
                norm = torch.nn.utils.clip_grad_norm_(parameters, plan.clip_norm or float("inf"))
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                indices = np.concatenate(list(passes))
                yield Step(
                    number=number + 1,
                    epoch=epoch,
                    last_of_epoch=position == len(steps) - 1,
                    loss=loss,
                    learning_rate=learning_rate,
                    gradient_norm=float(norm),
                    indices=indices,
                    logits=logits,
                    losses=losses,
                    tokens=int(inputs.encoded.lengths[indices].sum()) if inputs.trains else 0,
                    seconds=time.perf_counter() - started,
                )
            number += 1
        epoch += 1


def diverged(what: str, step: int, learning_rate: float) -> str:
    """Return the sentence on a training whose numbers are no longer finite; `step` counts from 1."""
    return (
        f"{what} at step {step} (learning rate {learning_rate:.2g}): the training diverged; start again with a third "
        "of the learning rate, or --precision fp32"
    )


def _seed(seed: int, number: int) -> None:
    torch.manual_seed((seed * 1_009 + number) % 2**63)  # torch takes no larger seed
