"""The command as a process: SIGTERM under load loses no accepted request."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.serving.asking import tiny_model

from albertkit.models.pretrained import save_model

CLIENTS = 12
REFUSED = 0
"""In place of a status: the server never took the request."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "tiny"
    save_model(tiny_model("classification"), path)
    return path


def test_sigterm_under_load(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "albertkit", "serve", str(folder), "--port", "0", "--json", "--threads", "1"]
    with subprocess.Popen(
        [*command, "--batch-wait", "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["can"] == ["classify", "explain", "embed", "compare", "tokenize"]
        answers = asyncio.run(load(told["url"], process))
        rest, log = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    # Every client was answered until it was told to go elsewhere, or came too late.
    assert all(statuses[:-1] == [200] * (len(statuses) - 1) for statuses in answers), answers
    assert {statuses[-1] for statuses in answers} <= {503, REFUSED}
    assert sum(map(len, answers)) >= 3 * CLIENTS
    rows = [json.loads(line) for line in log.splitlines()]
    assert [row["event"] for row in rows if row["event"] != "request"] == ["ready", "stopping", "stopped"]
    stopping = next(row for row in rows if row["event"] == "stopping")
    assert stopping["open_requests"] > 0
    served = [row["status"] for row in rows if row["event"] == "request" and row["path"] == "/classify"]
    # What the server accepted is what the clients have answers to: none is lost.
    assert sorted(served) == sorted(status for statuses in answers for status in statuses if status != REFUSED)


async def load(url: str, process: subprocess.Popen[str]) -> list[list[int]]:
    total = 0

    async def client() -> list[int]:
        nonlocal total
        statuses = []
        async with httpx.AsyncClient(base_url=url, timeout=30) as session:
            while not statuses or statuses[-1] == 200:
                try:
                    response = await session.post("/classify", json={"text": "a splendid film " * (1 + total % 7)})
                except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):  # the door was shut
                    statuses.append(REFUSED)
                    break
                statuses.append(response.status_code)
                total += 1
        return statuses

    async def stop() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as session:
            while total < 2 * CLIENTS or not re.search(
                r"^albertkit_open_requests [1-9]", (await session.get("/metrics")).text, re.MULTILINE
            ):
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)

    *answers, _ = await asyncio.gather(*(client() for _ in range(CLIENTS)), stop())
    return [statuses for statuses in answers if statuses is not None]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_texts_that_unfold_keep_nobody_waiting(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "albertkit", "serve", str(folder), "--port", "0", "--json", "--threads", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        try:
            seconds, statuses, grown = asyncio.run(under_attack(url, process.pid))
        finally:
            process.terminate()
    assert set(statuses) <= {200, 413, 422}, statuses
    assert np.quantile(seconds, 0.99) < 1, sorted(seconds)[-5:]
    assert grown < 100e6


async def under_attack(url: str, pid: int) -> tuple[list[float], list[int], float]:
    """Return how long others waited, what the attackers were answered, and the bytes by which the server grew."""
    bodies = {
        "/tokenize": {"text": ["\ufdfa" * 99_990] * 3},
        "/explain": {"text": ["\u00e9 " * 33_000] * 5},
        "/classify": {"text": ["\u0323\u0301" * 45_000] * 4},
    }
    seconds: list[float] = []
    attacking = True

    async with httpx.AsyncClient(base_url=url, timeout=60) as session:

        async def client() -> None:
            while attacking:
                started = time.monotonic()
                response = await session.post("/classify", json={"text": "a splendid film"})
                assert response.status_code == 200, response.text
                seconds.append(time.monotonic() - started)
                await asyncio.sleep(0.02)

        async def attack(path: str) -> int:
            content = json.dumps(bodies[path], ensure_ascii=False).encode()
            return (await session.post(path, content=content, headers={"Content-Type": "application/json"})).status_code

        assert (await session.post("/classify", json={"text": "a splendid film"})).status_code == 200
        before = resident(pid)
        clients = [asyncio.ensure_future(client()) for _ in range(4)]
        statuses = []
        for path in bodies:
            for _ in range(3):
                statuses += await asyncio.gather(attack(path), attack(path))
        attacking = False
        await asyncio.gather(*clients)
    return seconds, statuses, resident(pid) - before


def resident(pid: int) -> float:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * float(re.findall(r"VmRSS:\s+(\d+)", status)[0])
