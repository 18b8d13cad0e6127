"""The serving program: what it counts as lost, what it calls a fault, its clients, and a small run of each kind."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.benchmarks.test_programs import BENCHMARKS, KEYS, report_of


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("serving"):
            del sys.modules[name]


def line(name: str, status: int) -> str:
    return json.dumps({"event": "request", "request_id": name, "status": status})


def test_what_is_lost() -> None:
    judged = importlib.import_module("serving_endure").judged
    log = [json.dumps({"event": "stopping", "open_requests": 3})]
    log += [line("a", 200), line("b", 503), line("read", 200), line("late", 503), line("other", 500), "no JSON"]
    outcomes = {"a": "200", "b": "503", "read": "ended again", "late": "ended new", "half": "cut new"}
    outcomes |= {"wait": "silent again", "kept": "ended again", "door": "ended new", "other": "500", "forged": "200"}
    assert judged(outcomes, "\n".join(log)) == {
        "answered": 1,
        "refused": 1,
        "lost": 4,  # read, late, half, wait
        "unread_again": 1,
        "unread_new": 1,
        "strange": 2,  # other; and forged, of which the log knows nothing
        "open_at_sigterm": 3,
    }


def test_faults_of_a_soak() -> None:
    problems = importlib.import_module("serving_endure").soak_problems
    good: dict[str, Any] = {"wrong_labels": 0, "off": 0, "problems": {}, "statuses": {"200": 9}, "p99": 0.1}
    good |= {"megabytes": {"first": 100.0, "last": 104.0}}
    phases = {name: dict(good) for name in ("soak", "overload", "afterwards")}
    phases["exit"] = {"status": 0, "failures": 0}
    phases["overload"] |= {"statuses": {"200": 9, "429": 30, "504": 1}}
    assert problems(phases) == []
    phases["soak"] |= {"off": 2, "statuses": {"200": 9, "429": 1}, "megabytes": {"first": 100.0, "last": 106.0}}
    phases["overload"] |= {"problems": {"429 without Retry-After": 3}, "p99": 31.0}
    assert problems(phases) == [
        "soak: 2 answers differ by more than 1e-05",
        "soak: {'429': 1}",
        "soak: memory grew from 100.0 to 106.0 MB",
        "overload: 3 times 429 without Retry-After",
        "overload: p99 is 31.0 s; the deadline is 30 s",
    ]


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    b'{"results":[{"label":"good","probabilities":{"good":0.75,"bad":0.25}}]}',
    b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",  # cut
    b"",
]


def test_clients_tell_answers_apart() -> None:
    client = importlib.import_module("serving_client")
    answers = iter([ANSWERS[0] % len(ANSWERS[0].partition(b"\r\n\r\n")[2]), *ANSWERS[1:]])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(int(row.split(b":")[1]) for row in head.split(b"\r\n") if row.startswith(b"Content-Length"))
            assert json.loads(await reader.readexactly(size)) == {"text": "fine"}
            answer = next(answers)
            writer.write(answer)
            if not answer.endswith(b"}]}"):
                break
        writer.close()

    async def main() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        plan = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "within": 1e-5, "patience": 5.0}
        plan |= {"requests": [{"text": "fine", "label": "bad", "probabilities": {"good": 0.749, "bad": 0.251}}]}
        clients = client.Clients(
            {**plan, "seed": 7, "rate": None, "connections": 1, "seconds": 9.0, "to_the_end": False}
        )
        connection = await clients.connect()
        for _ in ANSWERS:
            if not connection.open:
                connection = await clients.connect()
            await clients.ask(connection, 0.0)
        server.close()
        await server.wait_closed()
        return clients

    clients = asyncio.run(main())
    assert clients.outcomes == {"7-0": "200", "7-1": "429", "7-2": "cut new", "7-3": "ended new"}
    assert (clients.wrong, clients.off, clients.worst) == (1, 1, pytest.approx(0.001))
    assert clients.problems == {"429 without Retry-After": 1, "429 without a sentence": 1}


@pytest.mark.slow
def test_beside_the_peer() -> None:
    pytest.importorskip("transformers")
    report = report_of("serving.py", *"--quick --threads 1 --seconds 1 --connections 2".split())
    assert report["name"] == "serving"
    for row in report["cases"]:
        assert set(KEYS) <= set(row)
        assert row["max_difference"] < (1e-4 if row["precision"] == row["peer_precision"] == "fp32" else 0.1)
        assert 0 < row["ours_p50_ms"] <= row["ours_p99_ms"]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "words"), [("soak", "--soak 4 --overload 3"), ("sigterms", "--sigterms 2")])
def test_endurance(kind: str, words: str) -> None:
    report = report_of("serving.py", *"--quick --threads 1".split(), *words.split())
    assert report["problems"] == []
    if kind == "sigterms":
        found = report["sigterms"]
        assert (found["lost"], found["strange"]) == (0, 0)
        assert found["answered"] > 0
    else:
        assert set(report["soak"]["soak"]["statuses"]) == {"200"}
        assert report["soak"]["overload"]["statuses"].get("429", 0) >= 0
