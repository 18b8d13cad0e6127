"""Workers: threads of one core each, for work that falls into independent parts."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

_lock = threading.Lock()  # one thread at a time makes a pool, since torch's note is every thread's
Part = TypeVar("Part")
Result = TypeVar("Result")


def on_workers(
    work: Callable[[Part], Result], parts: Sequence[Part], *, workers: int, trains: bool = False
) -> list[Result]:
    """Do the work for each part and return the results in order.

    Two operations at once, on a core each, are faster than one after the other on two cores: nobody waits at the end of
    each operation, above all on a machine that does other things, too. torch leaves Python's lock while it works.

    Args:
        work: run with operations on one thread.
        parts: handed out in order, each to the next free worker; a single one runs in the caller's thread.
        workers: threads; with one, all parts run in the caller's thread.
        trains: whether the threads record gradients; else they run in inference mode.
    """
    workers = min(workers, len(parts))
    if workers <= 1:
        return [work(part) for part in parts]
    with _lock:
        pool = _pool(workers)

    def in_worker(part: Part) -> Result:
        with torch.inference_mode(not trains):
            return work(part)

    return list(pool.map(in_worker, parts))


@lru_cache(maxsize=4)
def _pool(workers: int) -> ThreadPoolExecutor:
    # OpenMP's number of threads belongs to the thread that sets it, but torch also notes it for threads to come.
    threads = torch.get_num_threads()
    all_here = threading.Barrier(workers)

    def one_core() -> None:
        torch.get_num_threads()  # the first call in a thread takes torch's note
        torch.set_num_threads(1)
        all_here.wait()

    pool = ThreadPoolExecutor(workers, thread_name_prefix="albertkit-worker")
    for begun in [pool.submit(one_core) for _ in range(workers)]:
        begun.result()
    torch.set_num_threads(threads)
    return pool


def _begin_anew() -> None:
    global _lock  # threads do not live on in a child process, and one may have held it
    _lock = threading.Lock()
    _pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
