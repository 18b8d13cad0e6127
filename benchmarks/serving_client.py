"""The clients of serving.py, a process of their own: reads what to ask from standard input, prints what came as JSON.

Plain sockets with keep-alive: a request costs this side some 0.1 ms of the processor that the server works on, too.

    closed loop   `connections` clients; each asks again once it is answered
    open loop     `rate` requests a second, whether or not any is answered: what many strangers do
    to the end    a closed loop that continues after a refusal, until nobody listens
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any

IDLE = 2.0
"""Seconds after which an open loop uses a connection no more: below the server's five, so that none ends between two
requests."""
MOST = 3000
"""Requests under way in an open loop; one more is counted as not sent."""


class Ended(Exception):  # noqa: N818 - it is what is measured
    """The connection ended before a whole answer; `seen` bytes of it had come."""

    def __init__(self, seen: int) -> None:
        super().__init__(seen)
        self.seen = seen


class Connection:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.asked = 0
        self.used = time.monotonic()
        self.open = True

    async def ask(self, head: bytes, body: bytes, name: str, *, close: bool) -> tuple[int, dict[bytes, bytes], bytes]:
        """Send a request and return status, headers and body of its answer.

        Raises:
            Ended: there was no whole answer.
        """
        self.asked += 1
        last = b"Connection: close\r\n" if close else b""
        self.writer.write(b"%sX-Request-Id: %s\r\n%s\r\n%s" % (head, name.encode(), last, body))
        seen = 0
        try:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            seen = 1
            headers = dict(line.split(b": ", 1) for line in lines[1:] if line)
            answer = await self.reader.readexactly(int(headers[b"content-length"]))
        except asyncio.IncompleteReadError as error:
            raise Ended(seen + len(error.partial)) from None
        except OSError:
            raise Ended(seen) from None
        self.used = time.monotonic()
        if close or headers.get(b"connection") == b"close":
            self.close()
        return int(lines[0].split()[1]), headers, answer

    def close(self) -> None:
        """End it."""
        self.open = False
        with suppress(OSError):
            self.writer.close()


class Clients:
    """All clients of one measurement.

    Args:
        plan: `host`, `port`, `requests` (each with `text`, `label`, `probabilities`), `within`, `patience`, `seed`; and
            either `connections` and `seconds`, or `rate` and `seconds`; `to_the_end`.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.random = random.Random(plan["seed"])
        self.bodies = [json.dumps({"text": each["text"]}).encode() for each in plan["requests"]]
        form = "POST /classify HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
        self.heads = [form.format(host=plan["host"], size=len(body)).encode() for body in self.bodies]
        self.sent = 0
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.worst = 0.0
        self.wrong = self.off = self.not_sent = 0
        self.problems: Counter[str] = Counter()
        self.outcomes: dict[str, str] = {}
        self.answers: dict[int, dict[str, float]] = {}
        self.idle: list[Connection] = []
        self.under_way = 0

    async def connect(self) -> Connection:
        """Return a new connection."""
        return Connection(*await asyncio.open_connection(self.plan["host"], self.plan["port"]))

    async def ask(self, connection: Connection, since: float, *, close: bool = False) -> int | None:
        """Ask for one text and count what came; the status, or None where the connection ended."""
        number = self.sent % len(self.bodies)
        name = f"{self.plan['seed']}-{self.sent}"
        self.sent += 1
        again = connection.asked > 0
        try:
            asked = connection.ask(self.heads[number], self.bodies[number], name, close=close)
            status, headers, answer = await asyncio.wait_for(asked, self.plan["patience"])
        except (Ended, asyncio.TimeoutError) as error:
            connection.close()
            found = "silent" if not isinstance(error, Ended) else "cut" if error.seen else "ended"
            self.outcomes[name] = f"{found} {'again' if again else 'new'}"
            self.statuses[found] += 1
            return None
        self.outcomes[name] = str(status)
        self.statuses[str(status)] += 1
        if status == 200:
            self.latencies.append(time.monotonic() - since)
            self.check(number, json.loads(answer)["results"][0])
        else:
            self.check_refusal(status, headers, answer)
        return status

    def check(self, number: int, found: dict[str, Any]) -> None:
        """Compare an answer with what the model says offline."""
        wanted = self.plan["requests"][number]
        shares = found["probabilities"]
        difference = max(abs(shares[label] - share) for label, share in wanted["probabilities"].items())
        self.worst = max(self.worst, difference)
        self.wrong += found["label"] != wanted["label"]
        self.off += difference > self.plan["within"]
        self.answers.setdefault(number, shares)

    def check_refusal(self, status: int, headers: dict[bytes, bytes], answer: bytes) -> None:
        """Note what docs/serving.md does not say."""
        if status not in (429, 503, 504):
            self.problems[f"status {status}"] += 1
        if status == 429 and not headers.get(b"retry-after", b"").isdigit():
            self.problems["429 without Retry-After"] += 1
        try:
            told = json.loads(answer)["error"]["status"] == status
        except (ValueError, KeyError, TypeError):
            told = False
        if not told:
            self.problems[f"{status} without a sentence"] += 1

    async def closed(self, number: int, end: float) -> None:
        """Ask, wait, ask again; every other client of those to the end takes a new connection for each request."""
        to_the_end = self.plan["to_the_end"]
        connection: Connection | None = None
        while time.monotonic() < end:
            since = time.monotonic()
            if connection is None or not connection.open:
                try:
                    connection = await self.connect()
                except OSError:
                    self.statuses["not connected"] += 1
                    if to_the_end:
                        return
                    await asyncio.sleep(0.1)
                    continue
            status = await self.ask(connection, since, close=to_the_end and number % 2 == 1)
            if status != 200:
                await asyncio.sleep(0.01)
        if connection is not None:
            connection.close()

    async def arrive(self) -> None:
        """Ask once, on a connection that waits or on a new one."""
        since = time.monotonic()
        self.under_way += 1
        try:
            connection = None
            while self.idle and connection is None:
                connection = self.idle.pop()
                if since - connection.used > IDLE:
                    connection.close()
                    connection = None
            if connection is None:
                connection = await self.connect()
            await self.ask(connection, since)
            if connection.open:
                self.idle.append(connection)
        except OSError as error:
            self.statuses["not connected"] += 1
            self.problems[f"not connected: {type(error).__name__}"] += 1
        finally:
            self.under_way -= 1

    async def opened(self, rate: float, end: float) -> None:
        """Let requests arrive at random, `rate` a second."""
        due = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        while due < end:
            due += self.random.expovariate(rate)
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            elif self.sent % 16 == 0:  # late: what is late is sent at once, but answers are read, too
                await asyncio.sleep(0)
            if self.under_way >= MOST:
                self.not_sent += 1
                continue
            task = asyncio.ensure_future(self.arrive())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)

    async def run(self) -> dict[str, Any]:
        """Ask until the time is over, and return what came."""
        started = time.monotonic()
        end = started + self.plan["seconds"]
        if self.plan["rate"]:
            await self.opened(self.plan["rate"], end)
        else:
            await asyncio.gather(*(self.closed(number, end) for number in range(self.plan["connections"])))
        seconds = time.monotonic() - started
        in_order = sorted(self.latencies) or [float("nan")]
        report: dict[str, Any] = {
            "seconds": round(seconds, 3),
            "sent": self.sent,
            "not_sent": self.not_sent,
            "statuses": dict(self.statuses),
            "answers_per_second": round(len(self.latencies) / seconds, 2),
            "p50": round(in_order[len(in_order) // 2], 5),
            "p99": round(in_order[min(len(in_order) - 1, int(len(in_order) * 0.99))], 5),
            "slowest": round(in_order[-1], 5),
            "worst_difference": self.worst,
            "wrong_labels": self.wrong,
            "off": self.off,
            "problems": dict(self.problems),
            "answers": self.answers,
        }
        if self.plan["to_the_end"]:
            report["outcomes"] = self.outcomes
        return report


def main() -> None:
    """Read the plan, print the report."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))
    print(json.dumps(asyncio.run(Clients(json.load(sys.stdin)).run())))


if __name__ == "__main__":
    main()
