"""Vectors of a teacher, computed once: kept on disk in fp16, some thousand texts per file, and found again.

The name of a file is the digest of the teacher and its texts. A run that was stopped, another student and the other
half of the processes find what is there; nothing else has to be kept in step.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from albertkit.device import Execution
from albertkit.errors import CheckpointError, RunError
from albertkit.files import atomic_file, cache_folder
from albertkit.training.distillation.given import unusable
from albertkit.training.distillation.teachers import Teacher, open_teacher, teacher_digest
from albertkit.training.distillation.texts import texts_digest
from albertkit.vectors import unit
from albertkit.worker_pool import available_processes, worker_pool

HalfArray = npt.NDArray[np.float16]
TEXTS = 1024
"""Texts per file: what a stop loses at most, per process."""


class CachedTeacher:
    """A teacher whose vectors are looked for in the cache first.

    Args:
        name: a known model's name, or a path.
        execution: where it runs, in fp32.
        workers: processes; one per core when left out; on a GPU only this one.

    Raises:
        UsageError, CheckpointError, MissingExtraError: see `open_teacher`.
    """

    def __init__(self, name: str, *, execution: Execution, workers: int | None = None) -> None:
        self.name = name
        # One thread per process, so that the numbers do not depend on how many processes there are.
        self._execution = Execution(execution.device, "fp32", 1)
        self._workers = workers
        self._teacher = open_teacher(name, self._execution)
        self.digest = teacher_digest(name)
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
        report = progress or (lambda _: None)
        folder = cache_folder("teachers")
        chunks = [texts[start : start + TEXTS] for start in range(0, len(texts), TEXTS)]
        paths = [folder / f"{_file_name(self.digest, chunk)}.npz" for chunk in chunks]
        shapes = [(len(chunk), self.dimensions) for chunk in chunks]
        found = [_read(path, shape=shape) for path, shape in zip(paths, shapes, strict=True)]
        report(sum(len(part) for part in found if part is not None))
        for number, vectors in self._computed(chunks, [at for at, part in enumerate(found) if part is None]):
            part = _checked(vectors, chunks[number], teacher=self.name)
            with atomic_file(paths[number]) as temporary, open(temporary, "wb") as file:
                np.savez(file, vectors=part)
            found[number] = part
            report(len(part))
        return np.concatenate([part for part in found if part is not None])

    def _computed(
        self, chunks: Sequence[Sequence[str]], missing: Sequence[int]
    ) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        on_gpu = self._execution.torch_device.type != "cpu"
        processes = 1 if on_gpu else min(self._workers or available_processes(), len(missing))
        if processes <= 1:
            for number in missing:
                with _one_thread():
                    vectors = self._teacher.embed(chunks[number])
                yield number, vectors
            return
        pool = worker_pool(processes, begin=_begin, arguments=(self.name, self._execution))
        waiting: deque[tuple[int, Future[npt.NDArray[np.float32]]]] = deque()
        try:
            for number in missing:
                waiting.append((number, pool.submit(_work, chunks[number])))
                if len(waiting) > 2 * processes:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        except BrokenProcessPool as error:
            raise RunError(
                "a process of the teacher died, perhaps for lack of memory; the same command with --resume continues "
                "with the vectors that are there, with fewer --workers if need be"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _file_name(digest: str, texts: Sequence[str]) -> str:
    return hashlib.sha256(f"{digest} {texts_digest(texts)}".encode()).hexdigest()


def _read(path: Path, *, shape: tuple[int, int]) -> HalfArray | None:
    """Return what a file holds; None where it is missing or damaged (zip's checksum tells): it is computed again."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            vectors = file["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return vectors if vectors.shape == shape and vectors.dtype == np.float16 else None


def _checked(vectors: npt.NDArray[np.float32], texts: Sequence[str], *, teacher: str) -> HalfArray:
    wrong = unusable(vectors)
    if wrong is not None:
        raise CheckpointError(
            f'{teacher}: the vector of "{texts[wrong]:.60}" is zero or not of finite numbers; give another teacher'
        )
    return unit(vectors).astype(np.float16)


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
