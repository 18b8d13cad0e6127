"""A served tiny model and a client for it, in this process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import httpx
from tests.checkpoints.sentence_folders import dense_model
from tests.tiny import execution, tiny_folder
from tests.tiny_pretrained import pretrained_folder

from albertkit.batching.batch import Batch
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model, with_task_head
from albertkit.serving.app import make_app
from albertkit.serving.limits import Limits
from albertkit.serving.server import bind, make_server
from albertkit.serving.service import Service
from albertkit.tasks.similarity import SIMILARITY

LABELS = ("good", "bad", "so so")
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
OF_TASK: dict[str, tuple[str, ...]] = {
    "classification": LABELS,
    "multilabel": LABELS,
    "regression": (),
    "token_classification": TAGS,
    "question_answering": (),
    "question_answering_v2": (),
    "multiple_choice": (),
    "similarity": (),
}


@cache
def tiny_model(task: str) -> Model:
    """The tiny network with a random head; "pretrained" has those of pretraining, "dense" none and a map of its mean
    vector. The vectors of "similarity" may be cut to 5 dimensions."""
    if task == "pretrained":
        return load_model(pretrained_folder())
    if task == "dense":
        return dense_model()
    model = with_task_head(load_model(tiny_folder()), task=task, labels=OF_TASK[task], seed=5)
    return replace(model, task=replace(SIMILARITY, dimensions=(5,))) if task == "similarity" else model


def predictor_of(task: str) -> Predictor:
    """The same, ready for text."""
    return Predictor(tiny_model(task), execution=execution())


class Held:
    """A runtime that waits before each pass until it is let go, and keeps the passes.

    Args:
        predictor: whose runtime it is put before.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.inner = predictor.runtime
        self.go = threading.Event()
        self.passes: list[Batch] = []
        predictor.runtime = self
        self.warm = False

    def run(self, batch: Batch, *, outputs: Collection[str]) -> Any:
        """Run a pass; the first one is the server's own, which warms the model."""
        if self.warm:
            assert self.go.wait(20)
            self.passes.append(batch)
        self.warm = True
        return self.inner.run(batch, outputs=list(outputs))


@asynccontextmanager
async def served(
    predictor: Predictor,
    *,
    keys: Sequence[str] = (),
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    limits: Limits | None = None,
    start: bool = True,
) -> AsyncIterator[tuple[httpx.AsyncClient, Service]]:
    """A client of a server in this process."""
    service = Service(lambda: predictor, limits=limits)
    app = make_app(service, keys=keys, hosts=hosts, origins=origins)
    if start:
        await service.start()
    try:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30) as client:
            yield client, service
    finally:
        await service.stop()


def ask(task: str, route: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Ask a tiny model once and return the results."""

    async def main() -> list[dict[str, Any]]:
        async with served(predictor_of(task)) as (client, _):
            response = await client.post(f"/{route}", json=body)
            assert response.status_code == 200, response.text
            results: list[dict[str, Any]] = response.json()["results"]
            return results

    return asyncio.run(main())


def exchange(
    task: str, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, **options: Any
) -> httpx.Response:
    """Send one request to a tiny model; the options are those of `served`."""

    async def main() -> httpx.Response:
        async with served(predictor_of(task), **options) as (client, service):
            response = await client.request(method, path, json=body, headers=headers)
            assert service.open == 0
            return response

    return asyncio.run(main())


@contextmanager
def on_loopback(task: str, *, keys: Sequence[str] = (), limits: Limits | None = None) -> Iterator[str]:
    """The address of a server with a real socket, for clients of other packages."""
    service = Service(lambda: predictor_of(task), limits=limits)
    listening = bind("127.0.0.1", 0)
    server = make_server(service, keys=keys)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        for _ in range(4000):
            if service.metrics.registry.get_sample_value("albertkit_ready") == 1:
                break
            time.sleep(0.005)
        yield url
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


async def until(condition: Any) -> None:
    """Wait until something is so; an assertion error after 20 seconds."""
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come")
