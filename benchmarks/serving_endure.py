"""What a served model must survive: hours of requests, more requests than it can answer, and SIGTERM at any moment."""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving_servers import WITHIN, Memory, Server, albertkit_command, answers_of, ask, begin_asking

CONNECTIONS = 16
PLACES = 128
"""`albertkit serve --queue`."""
DEADLINE = 30.0
"""Seconds of `albertkit serve --deadline`."""
GROWTH = 1.05
"""Largest growth of memory, from the end of the warm-up to the end, that counts as none."""
CALM = 30.0
"""Seconds in which a server warms up before its memory is looked at; at most a fifth of the soak."""


def soak(model: str, requests: list[dict[str, Any]], *, seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    """Ask for `seconds`, then four times as much as the server could answer.

    Returns:
        `soak` with what came in each phase, `problems` (sentences, none if all is well) and `lines` for people.
    """
    overload_seconds = options.overload or max(20.0, seconds / 3)
    phases: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        server = Server(albertkit_command(model, precision="fp32", threads=options.threads), Path(parent) / "log")
        memory = Memory(server.process.pid)
        try:
            plan: dict[str, Any] = {"connections": CONNECTIONS, "seed": options.seed}
            calm = min(CALM, max(2.0, seconds / 5))
            # As many at once as it has places: the largest passes come before its memory is looked at.
            ask(server, requests, seconds=calm, **{**plan, "connections": PLACES})
            for name, rate, length in (("soak", None, seconds), ("overload", 4.0, overload_seconds)):
                began = time.monotonic()
                given = {**plan, "seconds": length}
                if rate is not None:
                    given["rate"] = rate * phases["soak"]["answers_per_second"]
                found = ask(server, requests, **given)
                found.pop("answers")
                phases[name] = {"asked_per_second": given.get("rate"), **found, "megabytes": memory.since(began)}
            began = time.monotonic()
            found = ask(server, requests, seconds=calm, **plan)  # it must be well again
            found.pop("answers")
            phases["afterwards"] = {**found, "megabytes": memory.since(began)}
        finally:
            memory.close()
            server.stop()
        phases["exit"] = {"status": server.process.returncode, "failures": _failures(server.log)}
    problems = soak_problems(phases)
    lines = [
        f"{name}: {found['seconds']:.0f} s, {found['sent']:,} requests, {found['statuses']}, "
        f"{found['answers_per_second']:.1f} answers/s, p50 {found['p50']:.4f} s, p99 {found['p99']:.4f} s, "
        f"wrong labels {found['wrong_labels']}, largest difference {found['worst_difference']:.1e}, "
        f"megabytes {found['megabytes']}"
        for name, found in phases.items()
        if name != "exit"
    ]
    return {"soak": phases, "problems": problems, "lines": [*lines, *(problems or ["nothing amiss"])]}


def soak_problems(phases: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what was wrong, a sentence each."""
    problems = []
    for name in ("soak", "overload", "afterwards"):
        found = phases[name]
        if found["wrong_labels"]:
            problems.append(f"{name}: {found['wrong_labels']} labels differ from the offline prediction")
        if found["off"]:
            problems.append(f"{name}: {found['off']} answers differ by more than {WITHIN:g}")
        problems += [f"{name}: {number} times {what}" for what, number in found["problems"].items()]
        allowed = {"200"} if name != "overload" else {"200", "429", "503", "504"}
        strange = {status: number for status, number in found["statuses"].items() if status not in allowed}
        if strange:
            problems.append(f"{name}: {strange}")
        if not found["p99"] < DEADLINE:
            problems.append(f"{name}: p99 is {found['p99']} s; the deadline is {DEADLINE:g} s")
        grown = found["megabytes"]
        if grown and grown["last"] > GROWTH * grown["first"]:
            problems.append(f"{name}: memory grew from {grown['first']} to {grown['last']} MB")
    if phases["exit"] != {"status": 0, "failures": 0}:
        problems.append(f"the server ended with {phases['exit']}")
    return problems


def _failures(log: Path) -> int:
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    return sum(row["event"] == "failure" or row.get("status") == 500 for row in rows)


def sigterms(model: str, requests: list[dict[str, Any]], *, times: int, options: argparse.Namespace) -> dict[str, Any]:
    """Start a server, ask it, send SIGTERM at a random moment; `times` times.

    Returns:
        `sigterms` (see `judged`, summed up), `problems` and `lines`.
    """
    chance = random.Random(options.seed)
    total: Counter[str] = Counter()
    problems: list[str] = []
    starts: list[float] = []
    stops: list[float] = []
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        for number in range(times):
            log = Path(parent) / f"{number}.log"
            server = Server(albertkit_command(model, precision="fp32", threads=options.threads), log)
            starts.append(server.start_seconds)
            clients = begin_asking(
                server,
                requests,
                connections=CONNECTIONS,
                seconds=60.0,
                to_the_end=True,
                seed=1000 * options.seed + number,
            )
            try:
                time.sleep(chance.uniform(0.2, 1.5))
                server.process.send_signal(signal.SIGTERM)
                began = time.monotonic()
                found = answers_of(clients)
                server.process.wait(60)
                stops.append(time.monotonic() - began)
            except subprocess.TimeoutExpired:
                problems.append(f"stop {number}: the server did not end within a minute")
            finally:
                for process in (clients, server.process):
                    if process.poll() is None:
                        process.kill()
                        process.wait()
            if server.process.returncode != 0:
                problems.append(f"stop {number}: exit status {server.process.returncode}")
            judgement = judged(found["outcomes"], log.read_text(encoding="utf-8"))
            total.update(judgement)
            if judgement["lost"] or judgement["strange"] or found["off"] or found["wrong_labels"] or found["problems"]:
                problems.append(
                    f"stop {number}: {dict(judgement)}, {found['off']} answers off, "
                    f"{found['wrong_labels']} wrong labels, {found['problems']}"
                )
            log.unlink()
            if sys.stderr.isatty() or (number + 1) % 10 == 0:
                print(f"{number + 1} of {times}: {dict(total)}", file=sys.stderr)
    facts: dict[str, float] = {"stops": times, "connections": CONNECTIONS, **{name: total[name] for name in COUNTED}}
    facts["start_seconds_longest"], facts["stop_seconds_longest"] = round(max(starts), 2), round(max(stops), 2)
    lines = [", ".join(f"{name} {value}" for name, value in facts.items()), *(problems or ["nothing amiss"])]
    return {"sigterms": facts, "problems": problems, "lines": lines}


COUNTED = ("answered", "refused", "lost", "unread_again", "unread_new", "strange", "open_at_sigterm")


def judged(outcomes: Mapping[str, str], log: str) -> Counter[str]:
    """Count what became of the requests, by the clients' word and the server's log, which has a line for each it read.

    Args:
        outcomes: id -> the status of a whole answer; or "ended", "cut" or "silent" with "again" (a connection that had
            served a request before) or "new".
        log: JSON lines.

    Returns:
        `answered`: 200, whole. `refused`: 503 or 429, whole. `lost`: the log has the request's id, so the server read
        it, and the client has no whole answer; or a part of an answer came, or none in a minute. `unread_again`: not
        one byte of an answer, and the log does not know the id, on a connection that stood open between two requests;
        HTTP has clients repeat those (RFC 9112, 9.3.1). `unread_new`: the same on a new connection, that waited to be
        accepted when the door was shut. `strange`: another status; an id that the log has with another status than
        the client. `open_at_sigterm`: requests that were accepted when the signal came.
    """
    rows = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    logged = {row["request_id"]: row["status"] for row in rows if row["event"] == "request"}
    found: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    for name, outcome in outcomes.items():
        if outcome.isdecimal():
            right = logged.get(name) == int(outcome) and outcome in ("200", "429", "503")
            found["strange" if not right else "answered" if outcome == "200" else "refused"] += 1
        elif name in logged or outcome.startswith(("cut", "silent")):
            found["lost"] += 1
        else:
            found["unread_again" if outcome.endswith("again") else "unread_new"] += 1
    found["open_at_sigterm"] = sum(row["open_requests"] for row in rows if row["event"] == "stopping")
    return found
