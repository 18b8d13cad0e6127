"""Processes: distribute batches over the processes of a torchrun job, and combine their sums.

The processes first meet at torchrun's key-value store, which needs no device. They compare their checks there
(`agreement.py`), and an error of one is an error of all, before any process waits in a collective operation for one
that will never come.
"""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from albertkit.errors import RunError, UsageError
from albertkit.hardware.device import Execution

_DAYS = timedelta(days=30)
_VARIABLES = ("RANK", "MASTER_ADDR", "MASTER_PORT")
_INTERFACES = "name the network interface that joins the machines in GLOO_SOCKET_IFNAME (cpu) or NCCL_SOCKET_IFNAME"


class _Slot(NamedTuple):
    """Marks the place of a tensor that is sent separately."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; a single one needs no torchrun."""

    rank: int = 0
    world: int = 1
    store: Any = None
    """Where they meet, a store of torch.distributed; None for a single process."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks: the first of all machines, not of each."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """What messages call this process."""
        return f"process {self.rank} on {socket.gethostname()}"

    def gather(self, key: str, value: Any) -> list[Any]:
        """Return what each process gave, in the order of ranks; through the store, so before `connect`, too.

        Args:
            key: a word of its own for each call.
            value: goes through JSON.
        """
        if self.store is None:
            return [value]
        ranks = range(self.world)
        self.store.set(f"{key}/{self.rank}", json.dumps(value))
        values = [json.loads(self.store.get(f"{key}/{rank}")) for rank in ranks]
        # The store may live in the first process, so that one leaves last.
        self.store.set(f"{key}/read/{self.rank}", "")
        if self.is_main:
            self.store.wait([f"{key}/read/{rank}" for rank in ranks])
        return values

    @contextmanager
    def together(self, key: str) -> Iterator[None]:
        """Let an error of one process end all of them, each with a sentence.

        Args:
            key: a word of its own for each call.

        Raises:
            RunError: another process failed.
        """
        try:
            yield
        except Exception as error:  # report any error to the others, or they would wait forever
            self.gather(key, [self.name, str(error) or type(error).__name__])
            raise
        for told in self.gather(key, None):
            if told is not None:
                raise RunError(f"{told[0]} cannot take part: {told[1]}")

    @contextmanager
    def main_first(self, key: str) -> Iterator[None]:
        """Let the first process do what follows before the others, which then find it in the cache.

        Args:
            key: a word of its own for each call.
        """
        if not self.is_main:
            self.store.wait([key], _DAYS)
        try:
            yield
        finally:
            if self.is_main and self.store is not None:
                self.store.set(key, "")

    def connect(self, device: str) -> None:
        """Open the way for tensors.

        Args:
            device: `cpu` speaks through gloo, `cuda` through nccl.

        Raises:
            RunError: the processes do not reach each other.
        """
        if self.store is None:
            return
        backend = "nccl" if device.startswith("cuda") else "gloo"
        own = dist.PrefixStore("albertkit", self.store)  # type: ignore[attr-defined]
        try:
            dist.init_process_group(backend, store=own, rank=self.rank, world_size=self.world)
            dist.barrier()
        except RuntimeError as error:
            raise RunError(
                f"{self.name} cannot reach the other processes ({_first_line(error)}); {_INTERFACES}"
            ) from error

    def sums(self, values: Sequence[float] | Tensor, *, device: torch.device | str = "cpu") -> list[float]:
        """Add numbers up over all processes."""
        tensor = torch.as_tensor(values, dtype=torch.float64, device=device)
        if self.world > 1:
            dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def add_up(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace the gradient of each parameter by the sum over all processes; None where no process has one."""
        if self.world == 1 or not parameters:
            return
        there = [float(parameter.grad is not None) for parameter in parameters]
        parts = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
        flat = torch.cat([*(part.reshape(-1) for part in parts), parts[0].new_tensor(there)])
        dist.all_reduce(flat)
        *sums, there_now = torch.split(flat, [*(part.numel() for part in parts), len(there)])
        for parameter, total, found in zip(parameters, sums, there_now.tolist(), strict=True):
            parameter.grad = total.view_as(parameter) if found else None

    def joined(self, own: Sequence[Tensor], total: int, *, device: torch.device | str = "cpu") -> list[Tensor]:
        """Return the tensors of all processes in the order of the items that `share` gave out.

        Args:
            own: fp32, of at most two dimensions, one for each item of this process.
            total: items of all processes.
            device: that they travel by.
        """
        if self.world == 1:
            return list(own)
        shapes = torch.zeros(total, 3, dtype=torch.int64, device=device)
        for place, tensor in zip(shapes[self.rank :: self.world], own, strict=True):
            place.copy_(torch.tensor([tensor.dim(), *tensor.shape, *[1] * (2 - tensor.dim())]))
        dist.all_reduce(shapes)
        found = [tuple(shape[1 : 1 + shape[0]]) for shape in shapes.tolist()]
        sizes = [math.prod(shape) for shape in found]
        flat = torch.zeros(sum(sizes), device=device)
        places = [part.view(shape) for part, shape in zip(torch.split(flat, sizes), found, strict=True)]
        for place, tensor in zip(self.share(places), own, strict=True):
            place.copy_(tensor)
        dist.all_reduce(flat)  # of each number all processes but one have 0
        return places

    def broadcast(self, tree: Any, *, device: torch.device | str = "cpu") -> Any:
        """Return the first process's dicts, lists, numbers and tensors (on the processor) in every process.

        Args:
            tree: what the first process has; the others' is not looked at.
            device: that tensors travel by.
        """
        if self.world == 1:
            return tree
        tensors: list[Tensor] = []
        plan = [_taken_apart(tree, tensors) if self.is_main else None]
        dist.broadcast_object_list(plan, device=torch.device(device))
        return self._filled(plan[0], iter(tensors), device)

    def _filled(self, plan: Any, tensors: Iterator[Tensor], device: torch.device | str) -> Any:
        if isinstance(plan, _Slot):
            sent = (
                next(tensors).to(device) if self.is_main else torch.empty(plan.shape, dtype=plan.dtype, device=device)
            )
            dist.broadcast(sent := sent.contiguous(), src=0)
            return sent.cpu()
        if isinstance(plan, dict):
            return {key: self._filled(value, tensors, device) for key, value in plan.items()}
        if isinstance(plan, list | tuple):
            return [self._filled(value, tensors, device) for value in plan]
        return plan

    def share(self, items: Sequence[Any]) -> list[Any]:
        """Return the items that are this process's own: every world-th."""
        return list(items[self.rank :: self.world])

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            dist.barrier()


def _taken_apart(tree: Any, tensors: list[Tensor]) -> Any:
    """Return the tree with a slot for each tensor, and append the tensors in that order."""
    if isinstance(tree, Tensor):
        tensors.append(tree)
        return _Slot(tuple(tree.shape), tree.dtype)
    if isinstance(tree, dict):
        return {key: _taken_apart(value, tensors) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_taken_apart(value, tensors) for value in tree]
    return tree


def on_own_device(execution: Execution) -> Execution:
    """Assign each process of a machine its own GPU, by torchrun's local rank.

    Raises:
        UsageError: more processes than GPUs, or all on one GPU by name.
    """
    local = os.environ.get("LOCAL_RANK")
    if not execution.device.startswith("cuda") or local is None:
        return execution
    here, found = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if execution.device != "cuda" and here > 1:
        raise UsageError(f"--device {execution.device} would put {here} processes on one GPU; leave the number out")
    if execution.device == "cuda" and int(local) >= found:
        raise UsageError(
            f"{here} processes were started on {socket.gethostname()}, which has {found} GPUs; "
            f"start torchrun with --nproc-per-node {found} there"
        )
    own = f"cuda:{local}" if execution.device == "cuda" else execution.device
    torch.cuda.set_device(own)
    return replace(execution, device=own)


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Meet the processes that torchrun started (it sets RANK, WORLD_SIZE, LOCAL_RANK); a single process without it.

    Tensors may be exchanged after `Processes.connect`.

    Raises:
        UsageError: only some of torchrun's variables are set.
        RunError: the first process is not reached, or another one ended in the middle.
    """
    if "WORLD_SIZE" not in os.environ:
        yield Processes()
        return
    missing = [name for name in _VARIABLES if name not in os.environ]
    if missing:
        raise UsageError(f"WORLD_SIZE is set but {', '.join(missing)} is not; start processes with torchrun")
    place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    try:
        store, rank, world = next(rendezvous("env://"))
    except (RuntimeError, ValueError) as error:
        raise RunError(f"the processes cannot connect at {place} ({_first_line(error)}); {_INTERFACES}") from error
    processes = Processes(rank, world, store)
    try:
        yield processes
    except RuntimeError as error:
        if not _is_of_another(error):
            raise
        raise RunError(
            f"{processes.name} lost the other processes ({_first_line(error)}); the output of the process that ended "
            "first says why; the same command with --resume continues from the last checkpoint"
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _is_of_another(error: RuntimeError) -> bool:
    """Return whether a process that is gone, not this one, is behind an error."""
    return isinstance(error, dist.DistError) or any(name in str(error) for name in ("gloo", "Connection closed"))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
