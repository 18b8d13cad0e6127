"""The queue: who shares a pass, who waits, who is dropped."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pytest

from albertkit.batching.batch import Batch, Sequence
from albertkit.serving.batching import Batcher, Job
from albertkit.serving.limits import Limits
from albertkit.serving.metrics import Metrics


class Sums:
    """A runtime whose output is the sum of each sequence's ids; it can be held, and fails on id 13."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.outputs: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()

    def run(self, batch: Batch, *, outputs: Collection[str]) -> dict[str, Any]:
        self.entered.set()
        assert self.go.wait(20)
        self.passes.append(batch.lengths.tolist())
        self.outputs += outputs
        if 13 in batch.input_ids:
            raise MemoryError("thirteen")
        return {name: np.add.reduceat(batch.input_ids, batch.starts).astype(np.float32)[:, None] for name in outputs}


def sequence(*ids: int) -> Sequence:
    return Sequence(np.array(ids), np.zeros(len(ids), np.int64))


@pytest.fixture
def sums() -> Sums:
    return Sums()


@pytest.fixture
def batcher(sums: Sums) -> Iterator[Batcher]:
    made = Batcher(sums, limits=Limits(batch_tokens=8, batch_wait=20), metrics=Metrics())
    yield made
    sums.go.set()
    made.close()


async def values(batcher: Batcher, *sequences: Sequence, output: str = "logits") -> list[float]:
    return [float(row[0]) for row in await batcher.run(Job(sequences, output))]


async def hold(batcher: Batcher, sums: Sums) -> asyncio.Task[Any]:
    """Let the thread be busy with a pass until `sums.go` is set."""
    sums.go.clear()
    sums.entered.clear()
    first = asyncio.ensure_future(values(batcher, sequence(1, 1)))
    await asyncio.to_thread(sums.entered.wait, 20)
    return first


def test_what_waits_together_runs_together(batcher: Batcher, sums: Sums) -> None:
    async def main() -> None:
        first = await hold(batcher, sums)
        others = [values(batcher, sequence(n, n, n), sequence(n, 1)) for n in (4, 5, 6)]
        waiting = asyncio.gather(*others, values(batcher, sequence(7, 7), output="pooled_output"))
        await asyncio.sleep(0.02)
        sums.go.set()
        assert await first == [2]
        assert await waiting == [[12, 5], [15, 6], [18, 7], [14]]

    asyncio.run(main())
    # Longest first in a pass, 8 tokens at most; another output is another pass.
    assert sums.passes[0] == [2]
    assert sorted(map(sorted, sums.passes[1:])) == [[2], [2, 2, 3], [2, 3, 3]]  # fmt: skip
    assert all(sum(lengths) <= 8 and lengths == sorted(lengths, reverse=True) for lengths in sums.passes)


def test_a_long_request_does_not_hold_up_a_short_one(batcher: Batcher, sums: Sums) -> None:
    async def main() -> list[str]:
        ended = []

        async def run(name: str, *sequences: Sequence) -> None:
            await batcher.run(Job(sequences, "logits"))
            ended.append(name)

        first = await hold(batcher, sums)
        long = asyncio.ensure_future(run("long", *[sequence(1, 2, 3, 4)] * 10))
        await asyncio.sleep(0)
        short = asyncio.ensure_future(run("short", sequence(1, 2)))
        await asyncio.sleep(0.02)
        sums.go.set()
        await asyncio.gather(first, long, short)
        return ended

    assert asyncio.run(main()) == ["short", "long"]


def test_a_sequence_above_the_budget_is_a_pass_of_its_own(batcher: Batcher, sums: Sums) -> None:
    async def main() -> list[float]:
        return await values(batcher, sequence(*[1] * 11), sequence(2, 2), sequence(*[3] * 9))

    assert asyncio.run(main()) == [11, 4, 27]
    assert sums.passes == [[11], [2], [9]]


def test_who_left_is_never_read(batcher: Batcher, sums: Sums) -> None:
    async def main() -> None:
        first = await hold(batcher, sums)
        leaving = asyncio.ensure_future(values(batcher, sequence(5, 5, 5)))
        await asyncio.sleep(0.02)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        sums.go.set()
        assert await first == [2]
        assert await values(batcher, sequence(1, 2)) == [3]

    asyncio.run(main())
    assert [3] not in sums.passes
    assert batcher.metrics.registry.get_sample_value("albertkit_dropped_requests_total") == 1


def test_a_pass_that_fails_fails_its_own_requests_alone(batcher: Batcher) -> None:
    async def main() -> None:
        with pytest.raises(MemoryError, match="thirteen"):
            await values(batcher, sequence(13, 1))
        assert await values(batcher, sequence(1, 2)) == [3]

    asyncio.run(main())


def test_one_alone_waits_no_longer_than_told(sums: Sums) -> None:
    batcher = Batcher(sums, limits=Limits(batch_tokens=8, batch_wait=200), metrics=Metrics())

    async def main() -> tuple[float, float]:
        started = time.monotonic()
        await values(batcher, sequence(1, 1))
        alone = time.monotonic() - started
        started = time.monotonic()
        await values(batcher, sequence(*[1] * 8))  # full at once
        return alone, time.monotonic() - started

    alone, full = asyncio.run(main())
    batcher.close()
    assert alone >= 0.19
    assert full < 0.19


def test_closing_finishes_what_waits(sums: Sums) -> None:
    batcher = Batcher(sums, limits=Limits(batch_tokens=2, batch_wait=1000), metrics=Metrics())

    async def main() -> list[list[float]]:
        waiting = asyncio.gather(*(values(batcher, sequence(n, n)) for n in range(5)))
        await asyncio.sleep(0)
        await asyncio.to_thread(batcher.close)
        with pytest.raises(RuntimeError, match="closed"):
            batcher.put(Job([], "logits"))
        return await waiting

    assert asyncio.run(main()) == [[0], [2], [4], [6], [8]]
