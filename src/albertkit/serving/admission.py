"""Admission: the checks of a request before it reaches the model, and what ends it early.

    observer    request id, log line, counters, headers of every answer, connections (503), 500 for what nobody foresaw
    admission   host (421), key (401), state (503), body (408, 413, 415), slot (429), deadline (504), clients that
                leave (499)

A request takes a slot when its whole body has arrived: a client that sends half of it only holds a connection, for some
seconds.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from typing import Any

from albertkit.serving.hosts import host_name
from albertkit.serving.logs import Visit, log, request_id, where
from albertkit.serving.refusals import Problem, Refusal, own_problem, refusal_body
from albertkit.serving.service import RETRY, Service

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

VISIT = "albertkit.visit"
"""Key of the request's `Visit` in the scope."""
_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


class Observer:
    """Names, counts and logs every request.

    Args:
        app: what answers.
        service: whose counters are told.
        paths: those that the server knows, each with the form of its refusals.
    """

    def __init__(self, app: App, *, service: Service, paths: Mapping[str, Problem]) -> None:
        self.app, self.service, self.paths = app, service, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self.paths else "(unknown)"
        method = scope["method"] if scope["method"] in _METHODS else "(unknown)"
        visit = Visit(request_id(_header(scope, b"x-request-id")), method, path)
        visit.problem = self.paths.get(path, own_problem)
        scope[VISIT] = visit

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                own = [(b"x-request-id", visit.id.encode("ascii")), *_HEADERS]
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        try:
            if self.service.crowded():
                raise Refusal(503, "too many connections are open; try again", headers={**RETRY, "Connection": "close"})
            await self.app(scope, receive, send_named)
        except Refusal as refusal:
            await refuse(send_named, refusal, visit)
        except Exception as error:
            log("failure", level=logging.ERROR, request_id=visit.id, **where(error))
            if not visit.status:
                await refuse(send_named, Refusal(500, "internal server error; see the server's log"), visit)
        finally:
            visit.status = visit.status or 499
            fields = visit.fields()
            self.service.metrics.requests.labels(path, str(visit.status)).inc()
            self.service.metrics.seconds.labels(path).observe(fields["seconds"])
            log("request", **fields)


class Admission:
    """Lets requests through.

    Args:
        app: what answers.
        service: whose state, slots and limits count.
        keys: accepted keys; a client must send one. Empty: no key is needed.
        hosts: names that a request may use, see `albertkit.serving.hosts`; empty for any.
        free: paths that need no key.
        routes: paths whose requests the model reads, each with the route that does the work.
    """

    def __init__(
        self,
        app: App,
        *,
        service: Service,
        keys: Sequence[str],
        hosts: Sequence[str],
        free: Collection[str],
        routes: Mapping[str, str],
    ) -> None:
        self.app, self.service, self.hosts = app, service, tuple(hosts)
        self.keys = [key.encode() for key in keys]
        self.free, self.routes = frozenset(free), routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visit: Visit = scope[VISIT]
        try:
            self._check_host(scope)
            self._check_key(scope)
            if scope["method"] != "POST" or scope["path"] not in self.routes:
                await self.app(scope, receive, send)
                return
            body = await self._able(scope, receive)
            if body is None:
                return
            with self.service.slot():
                await self._answer(scope, body, receive, send)
        except Refusal as refusal:
            await refuse(send, refusal, visit)

    def _check_host(self, scope: Scope) -> None:
        asked = _header(scope, b"host")
        if self.hosts and asked is not None and host_name(asked) not in self.hosts:
            raise Refusal(
                421,
                "the Host header names a host that this server does not serve (it serves "
                f"{', '.join(self.hosts)}); start it with --allowed-host NAME to add one",
                headers={"Connection": "close"},
            )

    def _check_key(self, scope: Scope) -> None:
        if not self.keys or scope["path"] in self.free:
            return
        scheme, _, token = (_header(scope, b"authorization") or "").partition(" ")
        shown = [_header(scope, b"x-api-key") or "", token.strip() if scheme.lower() == "bearer" else ""]
        # All are compared, so that the time says nothing of which one was nearly right.
        matches = [hmac.compare_digest(each.encode("latin-1"), key) for each in shown for key in self.keys]
        if not any(matches):
            raise Refusal(
                401,
                "this server needs an API key: send it as Authorization: Bearer KEY, or as X-API-Key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def _able(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body of a request that the model can answer."""
        try:
            self.service.capabilities.require(self.routes[scope["path"]])
            _check_encoding(scope)
        except Refusal:
            # A connection that closes with a body unread is reset, and the refusal may be lost on its way.
            await self._body(scope, receive)
            raise
        return await self._body(scope, receive)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        limits = self.service.limits
        # The rest of a refused body is not read: the connection ends with the answer.
        large = Refusal(
            413,
            f"the body is larger than {limits.max_body:,} bytes; send fewer or shorter texts",
            headers={"Connection": "close"},
        )
        announced = _header(scope, b"content-length") or ""
        if announced.isdecimal() and int(announced) > limits.max_body:
            raise large
        try:
            return await asyncio.wait_for(_read(receive, limits.max_body, large), limits.body_seconds)
        except asyncio.TimeoutError:
            raise Refusal(
                408,
                f"the body was not complete after {limits.body_seconds:g} seconds",
                headers={"Connection": "close"},
            ) from None

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()  # the code below detects a client that disconnects
            raise AssertionError

        answering = asyncio.ensure_future(self.app(scope, replay, send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait(
                {answering, leaving}, timeout=self.service.limits.deadline, return_when=asyncio.FIRST_COMPLETED
            )
            if answering.done():
                answering.result()
                return
            left = leaving.done()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        if not left and not scope[VISIT].status:
            raise Refusal(
                504,
                f"no answer within {self.service.limits.deadline:g} seconds; send fewer or shorter texts, or try again",
            )


async def refuse(send: Send, refusal: Refusal, visit: Visit) -> None:
    """Send the answer of a refusal."""
    status, problem = visit.problem(refusal.status, refusal.message, visit.id)
    body = refusal_body(problem)
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    encoded = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _check_encoding(scope: Scope) -> None:
    if (_header(scope, b"content-encoding") or "identity").strip().lower() not in ("", "identity"):
        raise Refusal(
            415,
            "the body is compressed (Content-Encoding); send it as plain JSON",
            headers={"Accept-Encoding": "identity"},
        )


async def _read(receive: Receive, most: int, large: Refusal) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            raise large
        if not message.get("more_body"):
            return bytes(body)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


_METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT".split())
