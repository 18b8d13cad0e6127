"""What a request passes: key, state, body, slot, deadline; and clients that leave."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from tests.serving.asking import Held, predictor_of, served, until

from albertkit.serving.app import make_app
from albertkit.serving.capabilities import Capabilities
from albertkit.serving.hosts import allowed_hosts
from albertkit.serving.limits import Limits
from albertkit.serving.service import Service

KEY = "a-key-of-some-length"
BODY = {"text": "a splendid film"}


def problem(response: httpx.Response) -> str:
    """The sentence of a refusal, which has one form everywhere."""
    error = response.json()["error"]
    assert error["status"] == response.status_code
    assert error["request_id"] == response.headers["x-request-id"]
    message: str = error["message"]
    return message


def with_server(
    test: Callable[[httpx.AsyncClient, Service], Awaitable[None]], *, task: str = "classification", **options: Any
) -> None:
    async def main() -> None:
        async with served(predictor_of(task), **options) as (client, service):
            await test(client, service)
            assert service.open == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 422, "the body is not valid JSON"),
        (b"\xff", 400, "the body cannot be read; send JSON in UTF-8"),
        (b"[]", 422, "must be a JSON object"),
        (b"{}", 422, 'the field "text" is missing'),
        (b'{"text": 5}', 422, 'the field "text" must be a text or a non-empty list of texts'),
        (b'{"text": []}', 422, "non-empty list"),
        (b'{"text": ["a", null]}', 422, r'the field "text\[1\]": input should be a valid string'),
        (b'{"text": "a", "top": 3}', 422, 'an unknown field "top"; the fields are text, pair'),
        (
            b'{"texts": "a", "text": "b"}',
            422,
            'an unknown field "texts"; did you mean "text"; the fields are text, pair',
        ),
        (b'{"text": "a", "pair": ["b", "c"]}', 422, '"text" holds 1 and "pair" 2'),
        (b'{"text": "\\ud800"}', 422, r"lone surrogate U\+D800"),
        (json.dumps({"text": ["a"] * 5}).encode(), 422, '"text" holds 5 texts and the limit per request is 4'),
        (json.dumps({"text": "a" * 201}).encode(), 422, "has 201 characters; the limit is 200"),
        (json.dumps({"text": ["so " * 60] * 4}).encode(), 422, "248 tokens exceed the limit of 240 tokens"),
        (json.dumps({"text": "a" * 2000}).encode(), 413, "larger than 1,500 bytes"),
    ],
)
def test_bodies_that_cannot_be(body: bytes, status: int, words: str) -> None:
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        response = await client.post("/classify", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == status, response.text
        assert re.search(words, problem(response)), response.text

    limits = Limits(max_texts=4, max_characters=200, max_body=1500, max_tokens=240)
    with_server(test, limits=limits)


@pytest.mark.parametrize(
    ("task", "route", "body", "words"),
    [
        ("classification", "tokenize", {"text": ["so so so so"] * 9}, "36 tokens exceed"),
        ("classification", "tokenize", {"text": ["so so"] * 9, "pair": ["so so"] * 9}, "36 tokens exceed"),
        ("question_answering", "answer", {"question": ["who?"] * 9, "context": "so so so so"}, "36 tokens exceed"),
    ],
)
def test_tokens_are_counted_before_the_work(
    task: str, route: str, body: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(*_: Any, **__: Any) -> None:
        raise AssertionError("the work was done")

    async def test(client: httpx.AsyncClient, _: Service) -> None:
        monkeypatch.setattr("albertkit.text.tokenizer.Tokenizer.encode", encode)
        response = await client.post(f"/{route}", json=body)
        assert response.status_code == 422, response.text
        assert words in problem(response)

    with_server(test, task=task, limits=Limits(max_tokens=35))


@pytest.mark.parametrize("route", ["classify", "explain", "tokenize"])
def test_characters_that_unfold_are_refused_before_the_work(route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the work was done")

    async def test(client: httpx.AsyncClient, _: Service) -> None:
        for name in ("sequences", "ids_of", "encode"):
            monkeypatch.setattr(f"albertkit.text.any_tokenizer.AnyTokenizer.{name}", refuse)
        response = await client.post(f"/{route}", json={"text": ["\ufdfa" * 99_990] * 3})
        assert response.status_code == 422, response.text
        assert "more than the 100,000 characters" in problem(response)

    with_server(test)


def test_short_texts_do_not_wait_for_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    prepare = Capabilities.prepare
    begun: list[str] = []

    def slow(self: Capabilities, route: str, values: Any) -> Any:
        if len(values["text"][0]) > 1000:
            begun.append(route)
            assert go.wait(20)
        return prepare(self, route, values)

    monkeypatch.setattr(Capabilities, "prepare", slow)

    async def test(client: httpx.AsyncClient, _: Service) -> None:
        long = [asyncio.ensure_future(client.post("/classify", json={"text": "so " * 10_000})) for _ in range(3)]
        await until(lambda: begun)
        for _ in range(3):
            assert (await client.post("/classify", json=BODY)).status_code == 200
        assert begun == ["classify"]
        go.set()
        assert [response.status_code for response in await asyncio.gather(*long)] == [200] * 3

    with_server(test)


def test_a_body_that_is_not_announced_as_json_is_refused() -> None:
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        # A page of another site can send this one without asking first.
        response = await client.post("/classify", content=b'{"text": "a"}', headers={"Content-Type": "text/plain"})
        assert response.status_code == 422
        assert "Content-Type: application/json" in problem(response)

    with_server(test)


def test_paths_and_methods_that_are_not_there() -> None:
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        assert "no such path" in problem(await client.get("/nope"))
        response = await client.get("/classify")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        assert "not support this method" in problem(response)
        assert (await client.post("/classify/", json=BODY)).status_code == 404

    with_server(test)


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/model", "/metrics", "/openapi.json"])
def test_head_is_get_without_a_body(path: str) -> None:
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        head, get = await client.head(path), await client.get(path)
        assert (head.status_code, head.headers["content-type"]) == (200, get.headers["content-type"])

    with_server(test)


def test_compressed_bodies_are_refused() -> None:
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        content = json.dumps(BODY).encode()
        kind = {"Content-Type": "application/json"}
        for encoding in ("gzip", "br", "GZIP", "identity, gzip"):
            headers = {**kind, "Content-Encoding": encoding}
            response = await client.post("/classify", content=gzip.compress(content), headers=headers)
            assert response.status_code == 415, response.text
            assert "is compressed (Content-Encoding); send it as plain JSON" in problem(response)
            assert response.headers["accept-encoding"] == "identity"
        for encoding in ("identity", "Identity ", ""):
            headers = {**kind, "Content-Encoding": encoding}
            assert (await client.post("/classify", content=content, headers=headers)).status_code == 200

    with_server(test)


def test_without_asserts_it_is_not_ready_either() -> None:
    code = """
import asyncio, httpx
from albertkit.serving.capabilities import Capabilities
from albertkit.serving.app import make_app
from albertkit.serving.service import Service
assert False  # is not looked at
async def main():
    transport = httpx.ASGITransport(make_app(Service(lambda: None)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        print((await client.get("/ready")).status_code, (await client.post("/classify")).status_code)
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, "503 503\n"), done.stderr


def test_request_ids() -> None:
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        for path in ("/health", "/nope"):
            assert (await client.get(path, headers={"X-Request-Id": "job-7"})).headers["x-request-id"] == "job-7"
        for bad in ('two words "and a quote', "x" * 65, ""):
            made = (await client.get("/health", headers={"X-Request-Id": bad})).headers["x-request-id"]
            assert re.fullmatch("[0-9a-f]{32}", made)

    with_server(test)


def test_keys() -> None:
    async def test(client: httpx.AsyncClient, _: Service) -> None:
        for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": f"Basic {KEY}"}, {"X-API-Key": "\xe9"}):
            raw = {name: value.encode("latin-1") for name, value in headers.items()}
            for path in ("/classify", "/nope"):
                response = await client.post(path, content=b"x" * 2_000_000, headers=raw)
                assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
                assert "needs an API key" in problem(response)
            assert (await client.get("/metrics", headers=raw)).status_code == 401
        for headers in (
            {"X-API-Key": KEY},
            {"Authorization": f"Bearer {KEY}"},
            {"X-API-Key": "the-next-key"},
            {"X-API-Key": KEY, "Authorization": "Basic of-a-proxy"},
        ):
            assert (await client.post("/classify", json=BODY, headers=headers)).status_code == 200
            assert (await client.get("/metrics", headers=headers)).status_code == 200
        for path in ("/", "/page/app.js", "/health", "/ready", "/openapi.json"):
            assert (await client.get(path)).status_code == 200

    with_server(test, keys=[KEY, "the-next-key"])


def test_hosts() -> None:
    hosts = allowed_hosts("127.0.0.1", given=["Api.Example.com"], has_keys=False)

    async def test(client: httpx.AsyncClient, _: Service) -> None:
        for host in ("localhost", "LOCALHOST.:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]", "api.example.com"):
            assert (await client.post("/classify", json=BODY, headers={"Host": host})).status_code == 200
        for host in (
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "[::2]",
            "127.0.0.1.evil.example",
            "",
        ):
            for path in ("/", "/classify", "/model", "/metrics", "/openapi.json", "/health"):
                response = await client.request(
                    "POST" if path == "/classify" else "GET", path, json=BODY, headers={"Host": host}
                )
                assert (response.status_code, response.headers["connection"]) == (421, "close"), host
                assert "localhost, 127.0.0.1, ::1, api.example.com" in problem(response)
                assert "--allowed-host NAME" in problem(response)

    with_server(test, hosts=hosts)


def test_before_it_is_ready_and_when_it_stops() -> None:
    async def main() -> None:
        async with served(predictor_of("classification"), start=False) as (client, service):
            assert (await client.get("/health")).status_code == 200
            for response in (await client.get("/ready"), await client.get("/model"), await client.post("/classify")):
                assert (response.status_code, response.headers["retry-after"]) == (503, "1")
                assert "is loading" in problem(response)
            await service.start()
            assert (await client.get("/ready")).json() == {"status": "ready"}
            assert (await client.post("/classify", json=BODY)).status_code == 200
            service.drain()
            for response in (await client.get("/ready"), await client.post("/classify", json=BODY)):
                assert (response.status_code, response.headers["connection"]) == (503, "close")
                assert "shutting down" in problem(response)
            assert (await client.get("/health")).status_code == 200

    asyncio.run(main())


def test_a_model_that_cannot_be_loaded_is_kept_for_who_asks() -> None:
    def load() -> Any:
        raise ValueError("no")

    async def main() -> None:
        service = Service(load)
        await service.start()
        assert isinstance(service.failure, ValueError)
        await service.stop()

    asyncio.run(main())


def test_places_are_bounded_and_come_back() -> None:
    predictor = predictor_of("classification")
    held = Held(predictor)

    async def main() -> None:
        async with served(predictor, limits=Limits(queue=2)) as (client, service):
            waiting = [asyncio.ensure_future(client.post("/classify", json=BODY)) for _ in range(2)]
            await until(lambda: service.open == 2)
            refused = await client.post("/classify", json=BODY)
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            assert "2 requests are already being processed" in problem(refused)
            assert (await client.get("/health")).status_code == 200
            held.go.set()
            assert [one.status_code for one in await asyncio.gather(*waiting)] == [200, 200]
            assert (await client.post("/classify", json=BODY)).status_code == 200
            assert service.open == 0

    asyncio.run(main())


def test_the_deadline() -> None:
    predictor = predictor_of("classification")
    held = Held(predictor)

    async def main() -> None:
        async with served(predictor, limits=Limits(deadline=0.3)) as (client, service):
            first, second = await asyncio.gather(*(client.post("/classify", json=BODY) for _ in range(2)))
            third = await client.post("/classify", json={"text": "word " * 20})  # waits behind the pass that hangs
            for response in (first, second, third):
                assert response.status_code == 504
                assert "within 0.3 seconds" in problem(response)
            assert service.open == 0
            held.go.set()
            await until(lambda: service.metrics.registry.get_sample_value("albertkit_dropped_requests_total") >= 1)
            assert (await client.post("/classify", json=BODY)).status_code == 200
            assert all(22 not in each.lengths for each in held.passes)  # the third was never read

    asyncio.run(main())


class Raw:
    """A client that says when its bytes come and when it leaves."""

    def __init__(self, service: Service, path: str = "/classify") -> None:
        self.app = make_app(service)
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[Any] = []
        headers = [(b"content-type", b"application/json")]
        self.scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
                      "headers": headers, "http_version": "1.1", "scheme": "http", "root_path": "",
                      "server": ("test", 80), "client": ("test", 1)}  # fmt: skip

    def say(self, kind: str, body: bytes = b"", *, more: bool = False) -> None:
        self.messages.put_nowait({"type": kind, "body": body, "more_body": more})

    async def run(self) -> int | None:
        async def send(message: Any) -> None:
            self.sent.append(message)

        await self.app(self.scope, self.messages.get, send)
        return self.sent[0]["status"] if self.sent else None


def test_half_a_body_takes_no_place_and_ends() -> None:
    async def main() -> None:
        service = Service(lambda: predictor_of("classification"), limits=Limits(body_seconds=0.3, queue=1, max_body=99))
        await service.start()
        slow = Raw(service)
        slow.say("http.request", b'{"text"', more=True)
        running = asyncio.ensure_future(slow.run())
        await asyncio.sleep(0.05)
        assert service.open == 0
        quick = Raw(service)
        quick.say("http.request", json.dumps(BODY).encode())
        assert await quick.run() == 200
        assert await running == 408
        assert (b"connection", b"close") in slow.sent[0]["headers"]
        leaving = Raw(service)
        leaving.say("http.request", b'{"text"', more=True)
        leaving.say("http.disconnect")
        assert await leaving.run() is None
        long = Raw(service)  # without a length: counted as it comes
        for _ in range(3):
            long.say("http.request", b"x" * 50, more=True)
        assert await long.run() == 413
        assert long.messages.qsize() == 1
        counted = service.metrics.registry.get_sample_value
        for status in ("200", "408", "413", "499"):
            assert counted("albertkit_requests_total", {"path": "/classify", "status": status}) == 1
        await service.stop()

    asyncio.run(main())


def test_who_leaves_frees_the_place_and_is_dropped() -> None:
    predictor = predictor_of("classification")
    held = Held(predictor)

    async def main() -> None:
        service = Service(lambda: predictor, limits=Limits(queue=2, batch_wait=0))
        await service.start()
        clients = [Raw(service), Raw(service)]
        running = []
        for number, client in enumerate(clients):
            client.say("http.request", json.dumps({"text": "word " * (number + 1)}).encode())
            running.append(asyncio.ensure_future(client.run()))
            await until(lambda wanted=number + 1: service.open == wanted)
            await asyncio.sleep(0.05)
        clients[1].say("http.disconnect")
        assert await running[1] is None
        assert service.open == 1
        held.go.set()
        assert await running[0] == 200
        await service.stop()
        assert [each.lengths.tolist() for each in held.passes] == [[3]]

    asyncio.run(main())
