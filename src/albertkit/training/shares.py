"""Shares: the passes of a step, divided among processes and, in each of them, among threads of one core.

    passes 0 1 2 3 4 5, two processes of two workers:   process 0  worker 0: 0 4   worker 1: 2
                                                        process 1  worker 0: 1 5   worker 1: 3

Gradients are added pass by pass in each worker, then worker by worker, then over the processes: always in this order,
so the same numbers of processes and workers give the same bits. Threads that share one operation meet at its end,
thousands of times per step; workers meet once. Workers read the same parameters, and `torch.autograd.grad` gives each
gradients of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from albertkit.config import AlbertConfig
from albertkit.encoder.workers import on_workers
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution
from albertkit.training.processes import Processes

Pass = TypeVar("Pass")
Result = TypeVar("Result")

LEAST_TOKENS = 384
"""Tokens of a step for each worker from which workers are faster than threads that share every operation. With fewer,
the threads wait for each other at Python's lock (docs/performance.md)."""


@dataclass(frozen=True)
class Shares:
    """Who computes the passes of a step."""

    processes: Processes = field(default_factory=Processes)
    workers: int = 1
    """Threads of each process, of one core each; with one, the process's threads share every operation."""

    @property
    def count(self) -> int:
        """Passes that are computed at the same time."""
        return self.processes.world * self.workers

    def to_dict(self) -> dict[str, int]:
        """Return what `config.json` keeps: a run continues with as many, since they decide the order of sums."""
        return {"parallel": self.workers, "processes": self.processes.world}

    def own(self, passes: Sequence[Pass]) -> list[tuple[int, Pass]]:
        """Return the numbers and passes that this process computes."""
        return self.processes.share(list(enumerate(passes)))

    def gradients(
        self,
        loss_of: Callable[[int, Pass], tuple[Tensor, Result]],
        own: Sequence[tuple[int, Pass]],
        parameters: Sequence[nn.Parameter],
    ) -> list[Result]:
        """Add the gradient of each pass's loss, over all processes, to what the parameters have.

        Args:
            loss_of: number of a pass, and the pass -> its part of the step's loss, and what else it found.
            own: what `own` gave.
            parameters: those that are trained.

        Returns:
            What `loss_of` found, in the order of `own`.
        """
        wanted = [parameter for parameter in parameters if parameter.requires_grad]

        def of_worker(mine: Sequence[tuple[int, Pass]]) -> tuple[list[Tensor | None], list[Result]]:
            total: list[Tensor | None] = [None] * len(wanted)
            results = []
            for number, each in mine:
                loss, result = loss_of(number, each)
                total = _sums(total, torch.autograd.grad(loss, wanted, allow_unused=True))
                results.append(result)
            return total, results

        done = self._on_workers(of_worker, own)
        total: list[Tensor | None] = [parameter.grad for parameter in wanted]
        for found, _ in done:
            total = _sums(total, found)
        for parameter, gradient in zip(wanted, total, strict=True):
            parameter.grad = None if gradient is None else gradient.contiguous()
        self.processes.add_up(wanted)
        return _in_order([results for _, results in done])

    def gradients_through(
        self,
        encode: Callable[[int, Pass], Sequence[Tensor]],
        passes: Sequence[Pass],
        head: Callable[..., tuple[Tensor, Result]],
        parameters: Sequence[nn.Parameter],
        *,
        tensors: int = 1,
        device: torch.device | str = "cpu",
    ) -> Result:
        """Add the gradient of a loss that compares the passes of the step with each other; return what the head found.

        The head sees the rows of all passes and gives the gradient of each row, which then passes through the encoder.
        A worker keeps what it needs for that if it has one pass. With more it encodes each pass again (gradient
        caching; Gao et al., 2021), so that memory holds one pass at a time.

        Args:
            encode: number of a pass, and the pass -> tensors of rows, in fp32.
            passes: of the whole step, the same in every process.
            head: those tensors, of all passes -> the loss of the step, and what else it found.
            parameters: those that are trained.
            tensors: how many `encode` gives.
            device: where they are.
        """
        own = self.own(passes)
        keeps = len(own) <= self.workers

        def of_worker(mine: Sequence[tuple[int, Pass]]) -> list[Sequence[Tensor]]:
            with torch.set_grad_enabled(keeps):
                return [encode(number, each) for number, each in mine]

        encoded = _in_order(self._on_workers(of_worker, own))
        everything, rows = [], []
        for kind in range(tensors):
            parts = self.processes.joined([each[kind].detach() for each in encoded], len(passes), device=device)
            everything.append(torch.cat(parts).requires_grad_())
            rows.append([len(part) for part in parts])
        loss, result = head(*everything)
        loss.backward()  # type: ignore[no-untyped-call]
        if not self.processes.is_main:  # every process has the gradient of the head; it counts once
            for parameter in parameters:
                parameter.grad = None
        slopes = [
            torch.split(each.grad, sizes) for each, sizes in zip(everything, rows, strict=True) if each.grad is not None
        ]
        kept = {number: found for (number, _), found in zip(own, encoded, strict=True)} if keeps else {}

        def again(number: int, each: Pass) -> tuple[Tensor, None]:
            found = kept[number] if keeps else encode(number, each)
            products = [(part * slope[number]).sum() for part, slope in zip(found, slopes, strict=True)]
            return torch.stack(products).sum(), None

        self.gradients(again, own, parameters)
        return result

    def _on_workers(
        self, work: Callable[[Sequence[tuple[int, Pass]]], Result], own: Sequence[tuple[int, Pass]]
    ) -> list[Result]:
        parts = [part for start in range(self.workers) if (part := own[start :: self.workers])]
        return on_workers(work, parts, workers=self.workers, trains=True)


def _sums(first: Sequence[Tensor | None], second: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [b if a is None else a if b is None else a + b for a, b in zip(first, second, strict=True)]


def _in_order(by_worker: Sequence[Sequence[Result]]) -> list[Result]:
    """Return what each worker found of its passes in the order of the passes."""
    most = max((len(found) for found in by_worker), default=0)
    return [found[place] for place in range(most) for found in by_worker if place < len(found)]


def chosen_workers(
    given: int | None, *, execution: Execution, config: AlbertConfig, processes: Processes, step_tokens: float
) -> int:
    """Return how many workers each process has: one per thread on a processor where steps are large enough.

    Args:
        given: what the user, or the run that continues, says.
        execution: device and threads.
        config: configuration of the encoder.
        processes: those that train together; with several, each has one worker, as torchrun starts one per core.
        step_tokens: tokens of a step, about, of each process.

    Raises:
        UsageError: several workers on a GPU, or with dropout in the encoder.
    """
    draws = config.hidden_dropout_prob > 0 or config.attention_probs_dropout_prob > 0
    on_cpu = execution.device == "cpu"
    if given is not None and given > 1:
        if not on_cpu:
            raise UsageError(f"--parallel {given} is for a processor; on {execution.device} start one process per GPU")
        if draws:  # torch has one random generator for all threads
            raise UsageError(
                f"--parallel {given}: this encoder has dropout, whose random numbers would depend on the order of the "
                "threads; leave --parallel out, or start processes with torchrun"
            )
    if given is not None:
        return given
    enough = step_tokens >= LEAST_TOKENS * execution.threads
    return execution.threads if on_cpu and enough and not draws and processes.world == 1 else 1
