"""What serving.py starts: the servers, the clients, and an eye on a server's memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from albertkit.errors import AlbertkitError

HERE = Path(__file__).resolve().parent
WITHIN = 1e-5
"""Largest difference of a probability that docs/serving.md allows."""


class Server:
    """A server in a process of its own, ready when this returns.

    Args:
        command: which prints the port, or JSON with it, once it is ready.
        log: where its standard error goes.

    Raises:
        AlbertkitError: it ended before it was ready.
    """

    def __init__(self, command: list[str], log: Path) -> None:
        started = time.monotonic()
        self.log = log
        environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            told = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise AlbertkitError(f"{command[1:3]} did not start: {told[-1] if told else 'no word'}")
        told = json.loads(line)
        self.port = int(told if isinstance(told, int) else told["port"])
        self.start_seconds = time.monotonic() - started

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def albertkit_command(model: str, *, precision: str, threads: int, further: list[str] | None = None) -> list[str]:
    """Return the command of `albertkit serve`."""
    command = [sys.executable, "-m", "albertkit", "serve", model, "--port", "0", "--json", "--device", "cpu"]
    return [*command, "--precision", precision, "--threads", str(threads), *(further or ())]


def peer_command(folder: str, *, precision: str, mode: str, threads: int, further: list[str]) -> list[str]:
    """Return the command of serving_peer.py."""
    command = [sys.executable, str(HERE / "serving_peer.py"), folder, "--threads", str(threads), *further]
    return [*command, *(["--bf16"] if precision == "bf16" else []), *(["--in-turn"] if mode == "in turn" else [])]


def begin_asking(server: Server, requests: list[dict[str, Any]], **plan: Any) -> subprocess.Popen[str]:
    """Start the clients; see `serving_client.Clients` for the plan."""
    whole = {"host": "127.0.0.1", "port": server.port, "requests": requests, "within": WITHIN, "patience": 60.0}
    whole |= {"seed": 1, "rate": None, "connections": 1, "to_the_end": False, **plan}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "serving_client.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(whole))
    process.stdin.close()
    process.stdin = None
    return process


def answers_of(clients: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the clients and return what came.

    Raises:
        AlbertkitError: they failed.
    """
    out, _ = clients.communicate()
    if clients.returncode != 0:
        raise AlbertkitError("the clients failed; see above")
    found: dict[str, Any] = json.loads(out)
    return found


def ask(server: Server, requests: list[dict[str, Any]], **plan: Any) -> dict[str, Any]:
    """Run the clients to their end."""
    return answers_of(begin_asking(server, requests, **plan))


class Memory:
    """Samples a process's resident memory every half second, until it is closed; Linux."""

    def __init__(self, pid: int) -> None:
        self.file = Path(f"/proc/{pid}/status")
        self.samples: list[tuple[float, float]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._end.wait(0.5):
            try:
                lines = self.file.read_text(encoding="ascii", errors="replace").splitlines()
            except OSError:
                return
            found = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
            if found:
                self.samples.append((time.monotonic(), int(found[0]) / 1024))

    def since(self, moment: float) -> dict[str, float]:
        """Return first, last and largest megabytes since a moment, and how they grew in the second half."""
        taken = [(at, size) for at, size in self.samples if at >= moment]
        if len(taken) < 4:
            return {}
        half = taken[len(taken) // 2 :]
        middle = sum(at for at, _ in half) / len(half)
        mean = sum(size for _, size in half) / len(half)
        spread = sum((at - middle) ** 2 for at, _ in half)
        slope = sum((at - middle) * (size - mean) for at, size in half) / spread
        sizes = [size for _, size in taken]
        found = {"first": sizes[0], "last": sizes[-1], "largest": max(sizes), "second_half_per_minute": 60 * slope}
        return {name: round(value, 2) for name, value in found.items()}

    def close(self) -> None:
        """Take no more."""
        self._end.set()
        self._thread.join()
