"""Batching: requests of many clients in one forward pass; one thread runs the model.

waiting   [a: 3 texts]  [b: 1]  [c: 200]  [d: 1]        by arrival
pass      as many texts as fit into `batch_tokens`: a, b and part of c
waiting   [d: 1]  [c: the rest]                          who is not finished goes to the end: d does not wait for c
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from albertkit.batching.batch import Batch, IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.batching.cutting import fill
from albertkit.inference.running import FloatArray, Runtime, rows_by_sequence
from albertkit.serving.limits import Limits
from albertkit.serving.metrics import Metrics


@dataclass(eq=False)
class Job:
    """What a request wants of the model."""

    sequences: Sequence[TokenSequence]
    """In any number, also none."""
    output: str
    """Name of one output of the runtime."""
    positions: Sequence[IntArray] | None = None
    """The tokens of each sequence whose rows are kept; None for all."""
    since: float = 0.0
    """When it began to wait (seconds of `time.monotonic`)."""
    started: float = 0.0
    """When its first sequence was read."""
    gone: bool = False
    """Nobody waits for it any more."""
    rows: list[FloatArray] = field(default_factory=list)
    """What was kept of each sequence read so far; they are read in order."""
    done: Callable[[BaseException | None], None] | None = None
    """Called once, in the model's thread."""

    def end(self, error: BaseException | None = None) -> None:
        """Call `done`, so that the waiting request continues."""
        if self.done is not None:
            self.done(error)


class Batcher:
    """The queue, and the thread that empties it.

    Args:
        runtime: what runs the model.
        limits: tokens of a pass and how long one waits to be filled.
        metrics: the counters that record each pass.
    """

    def __init__(self, runtime: Runtime, *, limits: Limits, metrics: Metrics) -> None:
        self.runtime, self.limits, self.metrics = runtime, limits, metrics
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="albertkit-model", daemon=True)
        self._thread.start()

    async def run(self, job: Job) -> list[FloatArray]:
        """Wait for the job's rows; when the caller is cancelled, the job leaves the queue.

        Raises:
            RuntimeError: the batcher is closed.
        """
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()

        def settle(error: BaseException | None) -> None:
            if finished.done():
                return
            if error is None:
                finished.set_result(None)
            else:
                finished.set_exception(error)

        def tell(error: BaseException | None) -> None:
            loop.call_soon_threadsafe(settle, error)

        job.done = tell
        self.put(job)
        try:
            await finished
        except asyncio.CancelledError:
            job.gone = True
            with self._changed:
                self._changed.notify()
            raise
        return job.rows

    def put(self, job: Job) -> None:
        """Let a job wait.

        Raises:
            RuntimeError: the batcher is closed.
        """
        job.since = time.monotonic()
        with self._changed:
            if self._closing:
                raise RuntimeError("the batcher is closed")
            self._waiting.append(job)
            self.metrics.waiting.set(len(self._waiting))
            self._changed.notify()

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while chosen := self._next():
            try:
                self._pass(chosen)
            except BaseException as error:  # a failed pass fails only its requests; the thread continues
                for job, _ in chosen:
                    job.gone = True
                    job.end(error)

    def _next(self) -> list[tuple[Job, range]]:
        """Wait for work and return what the next pass reads: jobs with the numbers of their sequences."""
        with self._changed:
            while True:
                self._drop()
                if self._waiting:
                    left = self._waiting[0].since + self.limits.batch_wait / 1000 - time.monotonic()
                    if left <= 0 or self._closing or self._is_full():
                        return self._take()
                    self._changed.wait(left)
                elif self._closing:
                    return []
                else:
                    self._changed.wait()

    def _drop(self) -> None:
        kept = [job for job in self._waiting if not job.gone]
        if len(kept) < len(self._waiting):
            self.metrics.dropped.inc(len(self._waiting) - len(kept))
            self._waiting = deque(kept)
            self.metrics.waiting.set(len(kept))

    def _lengths(self, output: str) -> Iterator[int]:
        """Yield the tokens of each sequence that waits for an output."""
        for job in self._waiting:
            if job.output == output:
                yield from map(len, job.sequences[len(job.rows) :])

    def _is_full(self) -> bool:
        waiting = accumulate(self._lengths(self._waiting[0].output))
        return any(tokens >= self.limits.batch_tokens for tokens in waiting)

    def _take(self) -> list[tuple[Job, range]]:
        output = self._waiting[0].output
        room = next(fill(self._lengths(output), max_tokens=self.limits.batch_tokens), 0)
        chosen: list[tuple[Job, range]] = []
        others: list[Job] = []
        unfinished: list[Job] = []
        for job in self._waiting:
            begin = len(job.rows)
            end = min(begin + room, len(job.sequences))
            if job.output != output or (end == begin and job.sequences):
                others.append(job)
                continue
            room -= end - begin
            chosen.append((job, range(begin, end)))
            if end < len(job.sequences):
                unfinished.append(job)
        self._waiting = deque(others + unfinished)
        self.metrics.waiting.set(len(self._waiting))
        return chosen

    def _pass(self, chosen: Sequence[tuple[Job, range]]) -> None:
        started = time.monotonic()
        for job, numbers in chosen:
            if numbers.start == 0:
                job.started = started
                self.metrics.waited.observe(started - job.since)
        wanted = [(job, number) for job, numbers in chosen for number in numbers]
        wanted.sort(key=lambda each: -len(each[0].sequences[each[1]]))  # attention groups near-equal lengths
        found: dict[tuple[int, int], FloatArray] = {}
        if wanted:
            batch = Batch.pack(job.sequences[number] for job, number in wanted)
            rows = self.runtime.run(batch, outputs=[chosen[0][0].output])[chosen[0][0].output]
            for (job, number), part in zip(wanted, rows_by_sequence(rows, batch), strict=True):
                # A copy in either case: a view would hold the whole pass.
                found[id(job), number] = part.copy() if job.positions is None else part[job.positions[number]]
            self.metrics.batch_tokens.observe(batch.tokens)
            self.metrics.batch_requests.observe(len(chosen))
            self.metrics.batch_seconds.observe(time.monotonic() - started)
        for job, numbers in chosen:
            job.rows.extend(found[id(job), number] for number in numbers)
            if len(job.rows) == len(job.sequences):
                job.end()
