"""Service: the model with its queue, and whether it takes requests."""

from __future__ import annotations

import asyncio
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from albertkit import __version__
from albertkit.errors import AlbertkitError
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import FloatArray, Work
from albertkit.models.loaded import FreshWeightsWarning
from albertkit.serving.batching import Batcher, Job
from albertkit.serving.capabilities import Capabilities
from albertkit.serving.endpoints import Endpoint
from albertkit.serving.limits import Limits
from albertkit.serving.logs import Visit, log
from albertkit.serving.metrics import Metrics
from albertkit.serving.refusals import Refusal
from albertkit.tasks.classification import ClassificationTask

RETRY = {"Retry-After": "1"}
LONG_TEXTS = 20_000
"""Longer requests, in characters, have a thread of their own for their texts: short ones never wait for long ones."""


class Service:
    """What answers requests, once it is started.

    Args:
        load: gives the model; called in a thread.
        limits: limits of requests and of the queue.
        metrics: counters; default: fresh ones.
    """

    def __init__(
        self, load: Callable[[], Predictor], *, limits: Limits | None = None, metrics: Metrics | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.metrics = metrics or Metrics()
        self.open = 0
        """Requests accepted but not yet answered."""
        self.failure: BaseException | None = None
        """Why the model could not be loaded."""
        self.crowded: Callable[[], bool] = lambda: False
        """Whether there are too many connections."""
        self.loaded = 0
        """When the model was loaded, in seconds since 1970."""
        self._load = load
        self._draining = False
        self._capabilities: Capabilities | None = None
        self._batcher: Batcher | None = None
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="albertkit-text")
        self._long_pool = ThreadPoolExecutor(1, thread_name_prefix="albertkit-long-text")

    async def start(self) -> None:
        """Load the model and run it once, so that the first request finds it warm."""
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        try:
            predictor = await loop.run_in_executor(None, self._loaded)
            batcher = Batcher(predictor.runtime, limits=self.limits, metrics=self.metrics)
            await batcher.run(Job(predictor.model.tokenizer.sequences(["warm"]), "sequence_output"))
        except Exception as error:
            self.failure = error
            return
        self._batcher = batcher
        self.loaded = int(time.time())
        self._capabilities = capabilities = Capabilities(predictor, limits=self.limits)
        for note in predictor.model.notes:
            log("note", message=note)
        execution, task = predictor.execution, predictor.model.task
        self.metrics.model.labels(
            "" if task is None else task.name, execution.device, execution.precision, __version__
        ).set(1)
        self.metrics.ready.set(0 if self._draining else 1)
        log("ready", model=capabilities.name, can=capabilities.names, seconds=round(time.monotonic() - started, 3))

    def _loaded(self) -> Predictor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FreshWeightsWarning)  # its notes are logged
            return self._load()

    def drain(self) -> None:
        """Take no new requests; those accepted are answered."""
        self._draining = True
        self.metrics.ready.set(0)

    async def stop(self) -> None:
        """End the threads, once the queue is empty."""
        self.drain()
        if self._batcher is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._batcher.close)
        self._pool.shutdown(wait=False)
        self._long_pool.shutdown(wait=False)

    def check_ready(self) -> None:
        """Refuse requests while there is no model, or no more time for it.

        Raises:
            Refusal: 503: it is not loaded, or the server is about to stop.
        """
        if self._draining:
            raise Refusal(503, "the server is shutting down; try again", headers={**RETRY, "Connection": "close"})
        if self._capabilities is None:
            raise Refusal(503, "the model is loading; try again", headers=RETRY)

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do.

        Raises:
            Refusal: see `check_ready`.
        """
        self.check_ready()
        assert self._capabilities is not None
        return self._capabilities

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the slots of accepted requests.

        Raises:
            Refusal: all are taken, or the server takes no requests.
        """
        self.check_ready()
        if self.open >= self.limits.queue:
            raise Refusal(
                429,
                f"{self.open} requests are already being processed; try again",
                headers={"Retry-After": str(self._seconds_to_wait())},
            )
        self.open += 1
        self.metrics.open.set(self.open)
        try:
            yield
        finally:
            self.open -= 1
            self.metrics.open.set(self.open)

    async def answer(self, endpoint: Endpoint, body: Any, visit: Visit) -> bytes:
        """Return the JSON of an answer.

        Args:
            endpoint: one form of a path.
            body: of that form.
            visit: told what the log says of it.

        Raises:
            Refusal: 404, 409, 422 or 503.
        """
        loop = asyncio.get_running_loop()
        capabilities = self._capabilities
        assert capabilities is not None  # it has a slot, so the model was there
        assert self._batcher is not None
        pool = self._pool
        try:
            work = await loop.run_in_executor(pool, partial(endpoint.work, body, capabilities, most=LONG_TEXTS))
            if work is None:
                pool = self._long_pool
                work = await loop.run_in_executor(pool, partial(endpoint.work, body, capabilities))
                assert work is not None
        except AlbertkitError as error:
            raise Refusal(422, str(error)) from error
        rows: list[FloatArray] = []
        visit.tokens = work.tokens
        visit.texts = len(work.sequences)
        if work.sequences:
            job = Job(work.sequences, work.output, work.positions)
            rows = await self._batcher.run(job)
            visit.waited = job.started - job.since
        try:
            return await loop.run_in_executor(pool, _answer, work, rows)
        except AlbertkitError as error:
            raise Refusal(422, str(error)) from error

    def describe(self) -> dict[str, Any]:
        """Return what GET /model answers.

        Raises:
            Refusal: 503.
        """
        capabilities = self.capabilities
        predictor = capabilities.predictor
        model = predictor.model
        return {
            "model": capabilities.name,
            "task": None if model.task is None else model.task.name,
            "labels": list(model.labels),
            "can": list(capabilities.names),
            "max_length": model.max_length,
            "takes_pairs": not (isinstance(model.task, ClassificationTask) and model.task.takes_pairs is False),
            "device": predictor.execution.device,
            "precision": predictor.execution.precision,
            "version": __version__,
            "limits": dict(vars(self.limits)),
        }

    def _seconds_to_wait(self) -> int:
        """Half of what is open should be answered by then, going by how long a pass has taken so far."""
        passes = self.metrics.registry.get_sample_value("albertkit_batch_seconds_count") or 0.0
        seconds = self.metrics.registry.get_sample_value("albertkit_batch_seconds_sum") or 0.0
        requests = self.metrics.registry.get_sample_value("albertkit_batch_requests_sum") or 0.0
        if not passes or not requests:
            return 1
        return max(1, min(60, math.ceil(self.open / 2 * seconds / requests)))


def _answer(work: Work[Any], rows: Sequence[FloatArray]) -> bytes:
    # In a thread of texts: a large answer would keep the loop from every other client.
    found = work.finish(rows)
    return json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
