"""Vectors of a teacher, computed once by several processes and kept on disk in fp16 (see `row_cache`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from albertkit.errors import CheckpointError, RunError
from albertkit.hardware.device import Execution
from albertkit.hardware.worker_pool import available_processes, worker_pool
from albertkit.io.file_digests import model_digest
from albertkit.io.vectors import unit
from albertkit.models.model_files import model_source
from albertkit.training.distillation.given import unusable
from albertkit.training.distillation.teachers import Teacher, open_teacher
from albertkit.training.row_cache import TEXTS, RowCache

HalfArray = npt.NDArray[np.float16]


class CachedTeacher:
    """A teacher whose vectors are looked for in the cache first.

    Args:
        name: a known model's name, or a path.
        execution: device to run on, in fp32.
        workers: processes; default: one per core; on a GPU only this one.

    Raises:
        UsageError, CheckpointError, MissingExtraError: see `open_teacher`.
    """

    def __init__(self, name: str, *, execution: Execution, workers: int | None = None) -> None:
        self.name = name
        # One thread per process, so that the numbers do not depend on how many processes there are.
        self._execution = Execution(execution.device, "fp32", 1)
        self._workers = workers
        self._teacher = open_teacher(name, self._execution)
        self.digest = model_digest(model_source(name))
        with _one_thread():
            self.dimensions = int(self._teacher.embed(["a"]).shape[1])

    def vectors(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> HalfArray:
        """Return the vectors of texts, of length 1, `[texts, dimensions]`; what is not in the cache is computed.

        Args:
            texts: at least one.
            progress: called with the number of texts that are there, cached or new.

        Raises:
            CheckpointError: a vector is zero or not finite.
            RunError: a process died.
            WriteError: the cache cannot be written.
        """
        cache = RowCache(self.digest, width=self.dimensions, dtype=np.float16)
        computed = partial(self._checked, progress=progress or (lambda _: None))
        return cache.rows(texts, computed, per_file=TEXTS, progress=progress)

    def _checked(self, chunks: Sequence[Sequence[Any]], *, progress: Callable[[int], None]) -> Iterator[HalfArray]:
        for texts, vectors in zip(chunks, self._computed(chunks), strict=True):
            wrong = unusable(vectors)
            if wrong is not None:
                raise CheckpointError(
                    f'{self.name}: the vector of "{texts[wrong]:.60}" is zero or not of finite numbers; give another '
                    "teacher"
                )
            yield unit(vectors).astype(np.float16)
            progress(len(texts))

    def _computed(self, chunks: Sequence[Sequence[str]]) -> Iterator[npt.NDArray[np.float32]]:
        on_gpu = self._execution.torch_device.type != "cpu"
        processes = 1 if on_gpu else min(self._workers or available_processes(), len(chunks))
        if processes <= 1:
            for texts in chunks:
                with _one_thread():
                    vectors = self._teacher.embed(texts)
                yield vectors
            return
        pool = worker_pool(processes, begin=_begin, arguments=(self.name, self._execution))
        waiting: deque[Future[npt.NDArray[np.float32]]] = deque()
        try:
            for texts in chunks:
                waiting.append(pool.submit(_work, texts))
                if len(waiting) > 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise RunError(
                "a process of the teacher died, perhaps for lack of memory; the same command with --resume continues "
                "with the vectors that are there, with fewer --workers if need be"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_teacher: Teacher | None = None  # of a worker process


def _begin(name: str, execution: Execution) -> None:
    global _teacher
    torch.set_num_threads(1)
    _teacher = open_teacher(name, execution)


def _work(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    assert _teacher is not None
    return _teacher.embed(texts)
