"""Real sockets: clients that never finish, clients that leave, and signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from tests.serving.asking import Held, predictor_of, until

from albertkit.errors import UsageError
from albertkit.inference.predictor import Predictor
from albertkit.serving.limits import Limits
from albertkit.serving.server import bind, make_server
from albertkit.serving.service import Service

BODY = json.dumps({"text": "a splendid film"}).encode()
HEAD = b"POST /classify HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


@asynccontextmanager
async def running(predictor: Predictor, **limits: Any) -> AsyncIterator[tuple[Service, int, asyncio.Task[None]]]:
    service = Service(lambda: predictor, limits=Limits(**limits))
    listening = bind("127.0.0.1", 0)
    server = make_server(service)
    task = asyncio.ensure_future(server.serve(sockets=[listening]))
    await until(lambda: service.metrics.registry.get_sample_value("albertkit_ready") == 1)
    try:
        yield service, listening.getsockname()[1], task
    finally:
        while OPEN:
            writer = OPEN.pop()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        server.should_exit = True
        await asyncio.wait_for(task, 20)


OPEN: list[asyncio.StreamWriter] = []


async def connect(port: int, *parts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has sent these parts; it is closed with the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    OPEN.append(writer)
    for part in parts:
        writer.write(part)
    await writer.drain()
    return reader, writer


def test_clients_that_never_finish_are_let_go_of() -> None:
    async def main() -> None:
        async with running(predictor_of("classification"), body_seconds=0.5, queue=1) as (service, port, _):
            silent, _ = await connect(port)
            half_head, drip = await connect(port, HEAD[:20])
            half_body, _ = await connect(port, HEAD, BODY[:5])
            no_http, _ = await connect(port, b"\x00\x01\r\n\r\n")
            assert service.open == 0  # none of them has the one slot
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                assert (
                    await client.post("/classify", content=BODY, headers={"Content-Type": "application/json"})
                ).is_success
            await asyncio.sleep(0.3)
            drip.write(HEAD[20:25])  # does not wind the clock up
            assert await asyncio.wait_for(silent.read(), 5) == b""
            assert await asyncio.wait_for(half_head.read(), 0.6) == b""
            assert (await asyncio.wait_for(half_body.read(), 5)).startswith(b"HTTP/1.1 408 ")
            assert (await no_http.read()).startswith(b"HTTP/1.1 400 ")

    asyncio.run(main())


def test_a_client_that_hangs_up_frees_its_place() -> None:
    predictor = predictor_of("classification")
    held = Held(predictor)

    async def main() -> None:
        async with running(predictor, queue=1) as (service, port, _):
            _, writer = await connect(port, HEAD, BODY)
            await until(lambda: service.open == 1)
            writer.close()
            await until(lambda: service.open == 0)
            held.go.set()

    asyncio.run(main())


def test_a_large_body_is_refused_before_it_is_sent() -> None:
    async def main() -> None:
        async with running(predictor_of("classification")) as (_, port, _):
            reader, _ = await connect(port, HEAD.replace(b"%d" % len(BODY), b"9" * 9), b"{")
            answer = await asyncio.wait_for(reader.read(), 5)
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b"connection: close" in answer.lower()

    asyncio.run(main())


def test_too_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("albertkit.serving.server.CONNECTIONS", 3)

    async def main() -> None:
        async with running(predictor_of("classification")) as (service, port, _):
            others = [await connect(port) for _ in range(2)]
            reader, _ = await connect(port, HEAD, BODY)
            head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in head.lower()
            assert json.loads(body)["error"]["message"] == "too many connections are open; try again"
            others[0][1].close()
            await until(lambda: not service.crowded())
            reader, _ = await connect(port, HEAD, BODY)
            assert (await asyncio.wait_for(reader.read(15), 5)) == b"HTTP/1.1 200 OK"

    asyncio.run(main())


def test_the_last_connections_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("albertkit.serving.server.DRAIN_SECONDS", 0.0)
    monkeypatch.setattr("albertkit.serving.server.LAST_WORDS", 1.0)

    async def main() -> None:
        async with running(predictor_of("classification")) as (_, port, task):
            reader, writer = await connect(port)
            await asyncio.sleep(0.1)
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(500):
                try:  # until the door is shut
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                except OSError:
                    break
                await asyncio.sleep(0.01)
            writer.write(HEAD + BODY)
            assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 503 ")
            await asyncio.wait_for(asyncio.shield(task), 20)

    asyncio.run(main())


def test_a_signal_finishes_what_was_accepted_and_refuses_the_rest() -> None:
    predictor = predictor_of("classification")
    held = Held(predictor)

    async def main() -> None:
        async with running(predictor) as (service, port, task):
            accepted = [await connect(port, HEAD, BODY) for _ in range(3)]
            idle, later = await connect(port, b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n")
            assert (await idle.read(15)) == b"HTTP/1.1 200 OK"
            await until(lambda: service.open == 3)
            os.kill(os.getpid(), signal.SIGTERM)
            await until(lambda: service.metrics.registry.get_sample_value("albertkit_ready") == 0)
            later.write(HEAD + BODY)  # on a connection that stood open
            assert b"HTTP/1.1 503 " in await asyncio.wait_for(idle.read(), 5)
            refused, _ = await connect(port, HEAD, BODY)  # and on a new one
            assert (await asyncio.wait_for(refused.read(), 5)).startswith(b"HTTP/1.1 503 ")
            assert not task.done()
            held.go.set()
            for reader, _ in accepted:
                assert (await asyncio.wait_for(reader.read(15), 5)) == b"HTTP/1.1 200 OK"
            await asyncio.wait_for(asyncio.shield(task), 20)
            with pytest.raises(ConnectionRefusedError):
                await connect(port)

    asyncio.run(main())


def test_ports_that_cannot_be() -> None:
    taken = bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with (
        taken,
        pytest.raises(UsageError, match=rf"cannot listen on 127.0.0.1, port {port}: .*; give another --host or"),
    ):
        bind("127.0.0.1", port)
    with pytest.raises(UsageError, match=r"cannot listen on no-such-host\.invalid"):
        bind("no-such-host.invalid", 0)


def test_an_answer_s_end_does_not_wait_for_the_receipt_of_its_beginning() -> None:
    with bind("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
