"""Batches built ahead, by processes of their own: a GPU takes several million tokens a second, a processor masks three.

stream -> worker 0 builds batches 0, n, 2n, ..; worker 1 builds 1, n + 1, ..; each has a short queue, and the training
loop takes one from each in turn. Every worker cuts all documents (a quarter of the work) and masks only its own
batches. The batches and their order are the same as those of the stream itself.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.data.pretraining.stream import PendingBatch, Position, Stream
from albertkit.errors import AlbertkitError, RunError

AHEAD = 4
"""Batches that each worker has ready."""
MOST_WORKERS = 8
"""Maximum number of workers if the caller sets none."""
_PATIENCE = 2.0  # seconds between two looks whether the other side still lives


def batch_workers(device: str) -> int:
    """Return how many processes should build batches: none for a processor, which has to train, too."""
    return min(MOST_WORKERS, max(1, (os.cpu_count() or 1) - 1)) if device.startswith("cuda") else 0


@dataclass(frozen=True)
class BuiltBatch:
    """A batch that waits for nothing any more."""

    batch: PretrainingBatch

    @property
    def tokens(self) -> int:
        """Tokens of its sequences, special ones included."""
        return self.batch.batch.tokens

    def build(self) -> PretrainingBatch:
        """Return it."""
        return self.batch


@dataclass(frozen=True)
class OthersBatch:
    """A batch of another training process: only its place in the order is needed here."""

    tokens: int

    def build(self) -> PretrainingBatch:
        """Never asked for.

        Raises:
            RunError: it was.
        """
        raise RunError("a batch of another training process was asked for; this is an error in albertkit")


def built_ahead(
    stream: Stream, position: Position | None = None, *, workers: int, rank: int = 0, world: int = 1
) -> Iterator[tuple[PendingBatch, Position]]:
    """Yield the stream's batches from a position on, built by worker processes; closing the iterator ends them.

    Args:
        stream: where the batches come from.
        position: where to begin.
        workers: processes, at least 1.
        rank: number of this training process.
        world: training processes in all: of each `world` batches in a row only number `rank` is built.

    Raises:
        RunError: a worker ended without a word (killed, out of memory).
        AlbertkitError: what a worker met.
    """
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(AHEAD) for _ in range(workers)]
    processes = [
        context.Process(
            target=_work,
            args=(stream, position, queues[number]),
            kwargs={"number": number, "workers": workers, "rank": rank, "world": world},
            name=f"batches-{number}",
            daemon=True,
        )
        for number in range(workers)
    ]
    try:
        for process in processes:
            process.start()
        turn = 0
        while True:
            yield from _next(queues[turn], processes[turn])
            turn = (turn + 1) % workers
    finally:
        for process in processes:
            if process.pid is not None:
                process.terminate()
        for process, ready in zip(processes, queues, strict=True):
            if process.pid is not None:
                process.join()
            ready.cancel_join_thread()
            ready.close()


def _next(ready: Any, process: Any) -> list[tuple[PendingBatch, Position]]:
    while True:
        try:
            found = ready.get(timeout=_PATIENCE)
        except queue.Empty:
            if process.is_alive():
                continue
            raise RunError(
                f"a process that builds batches ended (exit code {process.exitcode}); continue with --resume, and "
                "fewer --workers if memory was short"
            ) from None
        if isinstance(found, Exception):
            raise found
        return list(found)


def _work(
    stream: Stream, position: Position | None, ready: Any, *, number: int, workers: int, rank: int, world: int
) -> None:
    """Build every `workers`-th group of `world` batches, until the consumer stops."""
    parent = multiprocessing.parent_process()
    try:
        batches = stream.batches(position)
        groups = iter(lambda: list(islice(batches, world)), [])
        for group in islice(groups, number, None, workers):
            item = [
                (BuiltBatch(pending.build()) if place == rank else OthersBatch(pending.tokens), after)
                for place, (pending, after) in enumerate(group)
            ]
            while True:
                try:
                    ready.put(item, timeout=_PATIENCE)
                    break
                except queue.Full:
                    if parent is not None and not parent.is_alive():
                        ready.cancel_join_thread()
                        return
    except AlbertkitError as error:
        ready.put(error)
    except KeyboardInterrupt:
        ready.cancel_join_thread()
