"""Processes: who takes which batch when several train together under torchrun, and how their sums become one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from albertkit.device import Execution
from albertkit.errors import UsageError


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; one alone needs no torchrun."""

    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def sums(self, values: Sequence[float] | Tensor, *, device: torch.device | str = "cpu") -> list[float]:
        """Add numbers up over all processes."""
        tensor = torch.as_tensor(values, dtype=torch.float64, device=device)
        if self.world > 1:
            dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def share(self, items: Sequence[Any]) -> list[Any]:
        """Return the items that are this process's own: every world-th."""
        return list(items[self.rank :: self.world])

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            dist.barrier()


def on_own_device(execution: Execution) -> Execution:
    """Give each process of a machine its own GPU, by the number that torchrun gave it."""
    if execution.device != "cuda" or "LOCAL_RANK" not in os.environ:
        return execution
    own = f"cuda:{os.environ['LOCAL_RANK']}"
    torch.cuda.set_device(own)
    return replace(execution, device=own)


@contextmanager
def join_processes(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started (it sets RANK, WORLD_SIZE, LOCAL_RANK); alone without it.

    Args:
        device: `cpu` speaks through gloo, `cuda` through nccl.

    Raises:
        UsageError: torchrun's variables are there in part only.
    """
    if "WORLD_SIZE" not in os.environ:
        yield Processes()
        return
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UsageError(f"WORLD_SIZE is set but {', '.join(missing)} is not; start processes with torchrun")
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
