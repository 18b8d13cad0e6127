"""Server: uvicorn around the app, the signals that end it, and clients that never finish a sentence."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn
from prometheus_client import disable_created_metrics
from uvicorn.protocols.http.h11_impl import H11Protocol

from albertkit.errors import UsageError
from albertkit.inference.predictor import Predictor
from albertkit.serving.app import make_app
from albertkit.serving.limits import CONNECTIONS, Limits
from albertkit.serving.logs import log
from albertkit.serving.service import Service

DRAIN_SECONDS = 0.5
"""A stopping server answers 503 for at least so many seconds, so that late clients get a reply."""
LAST_WORDS = 0.1
"""Seconds between the last connection that is let in and the end of those that say nothing: a request on its way over
one of them is answered 503, where closing at once would reset it."""
TURN = 0.0005
"""Seconds after which a thread that splits text lets others run, a tenth of Python's own: a short request waits for its
turn a hundred times, once at each operation of the model."""
KEEP_ALIVE = 5
"""Seconds that an idle connection stays open."""


class Server(uvicorn.Server):
    """uvicorn, whose first signal drains and whose second one ends at once; see `make_server`."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self.loop: asyncio.AbstractEventLoop | None = None
        self.draining: asyncio.Future[None] | None = None
        self.signals = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        del sig, frame
        self.signals += 1
        if self.signals > 1 or self.loop is None:
            self.should_exit = self.force_exit = True
        else:
            self.loop.call_soon_threadsafe(self._begin_to_drain)

    def _begin_to_drain(self) -> None:
        self.service.drain()
        log("stopping", open_requests=self.service.open)
        self.draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        least = time.monotonic() + DRAIN_SECONDS
        while self.service.open or time.monotonic() < least:
            await asyncio.sleep(0.02)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer the last connections with 503, then close all connections."""
        for server in self.servers:
            server.close()
        for door in sockets or []:
            door.close()
        if not self.force_exit:
            await asyncio.sleep(LAST_WORDS)
        await super().shutdown(sockets)


def _protocol(seconds: float) -> type[asyncio.Protocol]:
    class Impatient(H11Protocol):
        """Closes a connection whose request line and headers do not come."""

        timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._unwatch()

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._unwatch()
            elif self.timer is None:  # bytes that drip in do not wind it up again
                self.timer = self.loop.call_later(seconds, self._give_up)

        def _unwatch(self) -> None:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

        def _give_up(self) -> None:
            self.timer = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Impatient


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Args:
        host: a name or address.
        port: 0 for any that is free.

    Raises:
        UsageError: the port is taken, or the host is not this machine's.
    """
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server((host, port), family=family, backlog=2048)
        # Its connections inherit it. asyncio sets it only on sockets that were made with TCP's number; without it an
        # answer's end waits 40 ms for the client's receipt of its beginning.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot listen on {host}, port {port}: {reason}; give another --host or --port") from error


def make_server(
    service: Service,
    *,
    keys: Sequence[str] = (),
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    ready: Callable[[Service], None] | None = None,
) -> Server:
    """Return a server: `await server.serve(sockets=[..])` runs it.

    Args:
        service: not started yet.
        keys: accepted keys; a client must send one.
        hosts: names that a request may use, see `albertkit.serving.hosts`; empty for any.
        origins: of web pages on other hosts that may send requests (CORS); empty for none.
        ready: called when the model is there.
    """

    async def started() -> None:
        if service.failure is not None:
            server.should_exit = True
        elif ready is not None:
            ready(service)

    limits = service.limits
    config = uvicorn.Config(
        make_app(service, keys=keys, hosts=hosts, origins=origins, started=started),
        http=_protocol(limits.body_seconds),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(limits.deadline) + 5,
    )
    server = Server(config, service)
    service.crowded = lambda: len(server.server_state.connections) >= CONNECTIONS
    return server


def serve(
    load: Callable[[], Predictor],
    listening: socket.socket,
    *,
    limits: Limits,
    keys: Sequence[str] = (),
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    ready: Callable[[Service], None] | None = None,
) -> None:
    """Answer requests until a signal comes.

    SIGTERM or SIGINT: what was accepted is answered, new requests get 503, then the sockets close. A second signal ends
    at once.

    Args:
        load: gives the model; requests get 503 until it is there.
        listening: see `bind`.
        limits: limits of requests.
        keys: accepted keys; a client must send one.
        hosts: names that a request may use, see `albertkit.serving.hosts`; empty for any.
        origins: of web pages on other hosts that may send requests (CORS); empty for none.
        ready: called when the model is there.

    Raises:
        AlbertkitError: the model could not be loaded.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second line for each counter, that says when the process began
    service = Service(load, limits=limits)
    server = make_server(service, keys=keys, hosts=hosts, origins=origins, ready=ready)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        server.run(sockets=[listening])
    finally:
        sys.setswitchinterval(interval)
    log("stopped")
    if service.failure is not None:
        raise service.failure
