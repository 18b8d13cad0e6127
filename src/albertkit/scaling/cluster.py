"""Ray: begin or join a cluster, share its processors among workers, and let Ray Data bring parts to them."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

from albertkit.errors import AlbertkitError, MissingExtraError, UsageError
from albertkit.scaling.job import Job
from albertkit.scaling.slices import Part
from albertkit.scaling.worker import PartWorker

_STORE_BYTES = 100_000_000  # what passes between driver and workers are names and digests
_BLOCKS = 4000  # tasks of Ray; of more parts each gets several


class RayError(AlbertkitError):
    """Ray could not be reached, or gave up."""


@dataclass(frozen=True)
class Shares:
    """How many workers there are, and what each gets."""

    now: int
    """Workers that find a place at once."""
    most: int
    """Workers that there may be: nodes may join."""
    threads: int
    """Processors of a worker."""
    gpus: int = 0
    """0 or 1 of a worker."""


def share(
    nodes: Sequence[tuple[float, float]], *, workers: int | None, threads: int | None, device: str = "auto"
) -> Shares:
    """Share out a cluster.

    >>> share([(8, 0), (8, 0)], workers=4, threads=None)
    Shares(now=4, most=4, threads=4, gpus=0)
    >>> share([(4, 0), (8, 0)], workers=None, threads=None)
    Shares(now=2, most=64, threads=4, gpus=0)

    Args:
        nodes: processors and GPUs of each node.
        workers: the most there may be. Left out: one for each node, and for each that joins.
        threads: processors of a worker; left out, as many as let all workers run at once.
        device: `auto` takes GPUs, one a worker, where the cluster has any.

    Raises:
        UsageError: a GPU is asked for and no node has one.
    """
    gpus = sum(int(gpu) for _, gpu in nodes)
    use_gpu = device.startswith("cuda") or (device == "auto" and gpus > 0)
    if use_gpu and not gpus:
        raise UsageError(f'device "{device}" is not available: no node of the Ray cluster has a GPU; use --device cpu')
    places = [(int(cpus), int(gpu) if use_gpu else sys.maxsize) for cpus, gpu in nodes if cpus >= 1]
    wanted = workers or (gpus if use_gpu else len(places)) or 1

    def fit(size: int) -> int:
        return sum(min(cpus // size, gpu) for cpus, gpu in places)

    largest = max((cpus for cpus, _ in places), default=1)
    size = threads or next((size for size in range(largest, 0, -1) if fit(size) >= wanted), 1)
    most = workers or max(64, 4 * wanted)
    return Shares(max(1, min(wanted, fit(size))), most, size, int(use_gpu))


@contextmanager
def cluster(address: str, *, workers: int | None, threads: int | None, device: str) -> Iterator[Shares]:
    """Join the cluster at an address, or begin one on this machine (`local`), which is stopped at the end.

    Args:
        address: `local`, `auto`, HOST:PORT of the head node, or ray://HOST:PORT.
        workers: see `share`.
        threads: see `share`.
        device: see `share`.

    Raises:
        MissingExtraError: Ray is not installed.
        RayError: the cluster cannot be reached.
        UsageError: see `share`.
    """
    ray = _import_ray()
    own = address == "local"
    begin: dict[str, Any] = {}
    if own:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        begin = {"num_cpus": max(cores, (workers or 1) * (threads or 1)), "include_dashboard": False}
        begin["object_store_memory"] = _STORE_BYTES
    # Standard output is for the answer. Ray prints there when a worker dies; it then begins another.
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _quiet():
                ray.init(None if own else address, log_to_driver=False, logging_level=logging.FATAL, **begin)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            what = "no Ray cluster could be started here" if own else f'no Ray cluster at "{address}"'
            raise RayError(f"{what} ({_last_line(error)})") from error
        try:
            for name in ("ray", "ray.data"):
                logging.getLogger(name).setLevel(logging.FATAL)
            nodes = [
                (found["Resources"].get("CPU", 0), found["Resources"].get("GPU", 0))
                for found in ray.nodes()
                if found["Alive"]
            ]
            yield share(nodes, workers=workers, threads=threads, device=device)
        finally:
            ray.shutdown()


def results(job: Job, parts: Sequence[Part], *, shares: Shares, size: int) -> Iterator[Mapping[str, Any]]:
    """Let the workers make the parts; yield the result of each part as soon as it is ready.

    A worker that dies is restarted, maybe on another node, and its part is made again.

    Args:
        job: what is to be done.
        parts: parts of the input.
        shares: what `cluster` gave.
        size: size of the input in bytes.

    Raises:
        RayError: Ray gave up, or a worker met what nobody expected.
    """
    import ray
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    items = [
        {"name": part.name(job.ending), "start": part.slice.start, "end": part.slice.end, "first": part.slice.first}
        for part in parts
    ]
    most = min(shares.most, len(items))
    # Two things are Ray Data's defaults: it restarts a worker and retries its tasks without a limit.
    worker: Any = PartWorker  # a class whose objects are called, as the documentation of `map` has it
    try:
        made = ray.data.from_items(items, override_num_blocks=min(len(items), _BLOCKS)).map(
            worker,
            fn_constructor_args=(job, size),
            compute=ray.data.ActorPoolStrategy(min_size=min(shares.now, most), max_size=most),
            num_cpus=shares.threads,
            num_gpus=shares.gpus or None,
        )
        yield from made.iter_rows()
    except ray.exceptions.RayError as error:
        raise RayError(f"a worker of the Ray cluster failed: {_last_line(error)}") from error


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise MissingExtraError("ray", extra="ray", purpose="--ray") from error
    return ray


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep off standard error what Ray's core says of itself as it begins; its errors are exceptions."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    lines = named or lines  # below the exception itself, Ray gives advice
    return f"{lines[-1]:.300}" if lines else type(error).__name__
