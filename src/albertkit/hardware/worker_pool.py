"""A pool of processes that share one machine with the program, and end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process
from typing import Any


def available_processes() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def worker_pool(processes: int, *, begin: Callable[..., None], arguments: tuple[Any, ...]) -> ProcessPoolExecutor:
    """Return a pool whose workers leave Ctrl-C to the main process and end when it is killed.

    Args:
        processes: number of workers, at least 1.
        begin: called once in each worker.
        arguments: arguments of `begin`; they are pickled.
    """
    # A fresh interpreter for each: a fork would copy the threads that draw the progress bar, half alive.
    return ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(begin, arguments)
    )


def _begin(begin: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process handles Ctrl-C and ends its workers
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    begin(*arguments)


def _leave_with_parent() -> None:
    # The pool's workers would wait for ever for a main process that was killed.
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
