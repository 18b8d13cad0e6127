"""Device, precision, threads and seed: the one place that decides. Torch is imported when a function is called."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albertkit.errors import UsageError
from albertkit.hardware.processor import capabilities, missing

if TYPE_CHECKING:
    import torch

PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")


@dataclass(frozen=True)
class Execution:
    """Where and how a model runs."""

    device: str
    """`cpu`, `cuda`, `cuda:1`, `mps`."""
    precision: str
    """`fp32`, `bf16` or `fp16`: the type of the products; weights, norms and losses stay fp32. To predict with, on a
    processor: `fp16`, where only the weights of products are fp16; `int8`, where products are int8: with AMX those of
    the feed-forward parts, else all of the layers."""
    threads: int
    """Processor threads that one operation may use."""

    @property
    def predicts_only(self) -> bool:
        """Whether no gradient passes the products: int8, and fp16 on a processor."""
        return self.precision == "int8" or (self.precision == "fp16" and self.device.startswith("cpu"))

    def autocast(self) -> AbstractContextManager[Any]:
        """Return torch's own autocast for the precision, or nothing for fp32.

        Raises:
            UsageError: no gradient passes the precision's products.
        """
        import torch

        if self.predicts_only:
            raise UsageError(f"{self.precision} works only for prediction without early exits; use --precision auto")
        if self.precision == "fp32":
            return nullcontext()
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.device.split(":")[0], dtype=dtype)

    @property
    def torch_device(self) -> torch.device:
        """The device as torch's own type."""
        import torch

        return torch.device(self.device)


def choose_execution(*, device: str = "auto", precision: str = "auto", threads: int | None = None) -> Execution:
    """Decide where and how to run, and set torch's thread count.

    Args:
        device: `auto` takes a GPU where there is one; else a torch device name.
        precision: `auto` takes bf16 where a GPU or an x86 processor has bf16 products, else fp32.
        threads: processor threads; default: torch's own choice.

    Raises:
        UsageError: an unknown precision, a device that is not here, a precision that the processor has no products for,
            int8 on a GPU, threads below 1.
    """
    # oneDNN keeps code for every shape that it has met, 1,024 by default at up to 1 MB each. Packed batches have many
    # shapes; a pass over one batch needs about 30.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    if precision not in PRECISIONS:
        raise UsageError(f'unknown precision "{precision}" (known: {", ".join(PRECISIONS)})')
    if threads is not None and threads < 1:
        raise UsageError(f"--threads is {threads}; it must be 1 or more")
    try:
        import torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return _without_torch(device, precision, threads)
    if threads is not None:
        set_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UsageError(f'unknown device "{device}"; use cpu, cuda, cuda:1 or mps') from error
    if kind == "meta":
        raise UsageError('device "meta" holds no numbers, so nothing runs there; use --device cpu')
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f'device "{device}" is not available: torch sees no CUDA GPU; use --device cpu')
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError('device "mps" is not available; use --device cpu')
    if precision == "auto":
        good = torch.cuda.is_bf16_supported() if kind == "cuda" else kind == "cpu" and capabilities().prepacked_bf16
        precision = "bf16" if good else "fp32"
    if precision == "int8" and kind != "cpu":
        raise UsageError("int8 needs a processor with int8 products, not a GPU; use --device cpu or --precision auto")
    if kind == "cpu":
        found = capabilities()
        able = {"fp32": True, "bf16": found.bf16, "fp16": found.fbgemm, "int8": found.any_int8}
        if not able[precision]:
            raise UsageError(missing(precision))
    return Execution(device, precision, torch.get_num_threads())


def _without_torch(device: str, precision: str, threads: int | None) -> Execution:
    """Return the execution of exported models without torch: on the processor, in fp32."""
    if device not in ("auto", "cpu") or precision not in ("auto", "fp32"):
        raise UsageError("without torch, models run only on the processor in fp32; leave out --device and --precision")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Execution("cpu", "fp32", threads or cores)


_forked = False  # whether fork made this process, when torch was imported


def set_threads(threads: int) -> None:
    """Let each of torch's operations use so many processor threads; one in a process that fork made.

    OpenMP's threads do not survive fork, and an operation that waits for them never ends. A batch is still shared out
    between `Execution.threads` cores (`model/workers.py`), whose threads are the child's own.
    """
    import torch

    torch.set_num_threads(1 if _forked else threads)


def _after_fork() -> None:
    global _forked
    torch = sys.modules.get("torch")
    if hasattr(torch, "set_num_threads"):
        _forked = True
        set_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def set_seed(seed: int) -> None:
    """Seed torch's generators; NumPy and `random` are never used unseeded in albertkit."""
    import torch

    torch.manual_seed(seed)
