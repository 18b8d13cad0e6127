"""Progress of long work, on standard error: a bar on a terminal, plain lines elsewhere, or nothing.

`ALBERTKIT_PROGRESS=0` turns bars and lines off; sentences stay.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, Protocol

Kind = Literal["info", "note", "warning"]
"""What a sentence is: how the work goes, a fact that a report keeps too, or something to act on."""


class Advance(Protocol):
    """Moves a bar on."""

    def __call__(self, count: int, *, info: str = "") -> None:
        """Count `count` more units done; the bar shows `info` at its end."""
        ...


class Progress(Protocol):
    """Where long work reports to."""

    def report(self, sentence: str, *, kind: Kind = "info") -> None:
        """Show one sentence."""
        ...

    def bar(self, what: str, *, total: int) -> AbstractContextManager[Advance]:
        """Show a bar for `total` units of work while the block runs."""
        ...


class Silent:
    """Reports nothing: the default in Python."""

    def report(self, sentence: str, *, kind: Kind = "info") -> None:
        """Show nothing."""

    @contextmanager
    def bar(self, what: str, *, total: int) -> Iterator[Advance]:  # noqa: ARG002 - the protocol's signature
        """Show nothing."""

        def advance(count: int, *, info: str = "") -> None:
            pass

        yield advance


class Warnings:
    """Passes on bars and warnings only: for work of many parts whose other sentences are in their own reports.

    Args:
        progress: where to.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def report(self, sentence: str, *, kind: Kind = "info") -> None:
        """Show a warning."""
        if kind == "warning":
            self._progress.report(sentence, kind=kind)

    def bar(self, what: str, *, total: int) -> AbstractContextManager[Advance]:
        """Show the bar."""
        return self._progress.bar(what, total=total)


class Console:
    """Reports on standard error: a bar where that is a terminal, else a plain line from time to time."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self._console = RichConsole(stderr=True, highlight=False)
        self.reported: set[str] = set()
        """Every sentence so far."""

    def report(self, sentence: str, *, kind: Kind = "info") -> None:
        """Print one sentence; "note: " or "warning: " comes before one of that kind."""
        self.reported.add(sentence)
        self._print(sentence if kind == "info" else f"{kind}: {sentence}")

    @contextmanager
    def bar(self, what: str, *, total: int) -> Iterator[Advance]:
        """Show a bar with the time left, or print lines that say the same."""
        if os.environ.get("ALBERTKIT_PROGRESS", "1") == "0":
            with Silent().bar(what, total=total) as advance:
                yield advance
        elif sys.stderr.isatty():
            with self._drawn_bar(what, total=total) as advance:
                yield advance
        else:
            yield Lines(what, total=total, write=self._print)

    def _print(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, soft_wrap=True)

    @contextmanager
    def _drawn_bar(self, what: str, *, total: int) -> Iterator[Advance]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[info]}"),
        )
        # Standard output stays where it is: rich would send it to the console of the bar, standard error.
        with Progress(*columns, console=self._console, transient=True, redirect_stdout=False) as progress:
            task = progress.add_task(what, total=total, info="")

            def advance(count: int, *, info: str = "") -> None:
                fields: dict[str, Any] = {"info": info} if info else {}
                progress.update(task, advance=count, **fields)

            yield advance


class Lines:
    """An `Advance` that writes a line every 5 seconds, and every 30 seconds after the first minute.

    The rate and the time left count from the first call, which may report what an earlier run has done.

    Args:
        what: the work.
        total: units of it.
        write: takes each line.
    """

    def __init__(self, what: str, *, total: int, write: Callable[[str], None]) -> None:
        self._what, self._total, self._write = what, total, write
        self._begun = self._written = time.monotonic()
        self._done = 0
        self._info = ""
        self._first: tuple[float, int] | None = None  # when the first call came, and what was done then

    def __call__(self, count: int, *, info: str = "") -> None:
        """Count `count` more units done, and write a line where one is due."""
        now = time.monotonic()
        self._done += count
        self._info = info or self._info
        self._first = self._first or (now, self._done)
        if now - self._written >= (5 if now - self._begun <= 60 else 30):
            self._written = now
            self._write(self._line(now))

    def _line(self, now: float) -> str:
        assert self._first is not None
        since, before = self._first
        parts = [f"{self._what}: {self._done:,} of {self._total:,}"]
        if self._done > before and now > since:
            rate = (self._done - before) / (now - since)
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
            if self._total > self._done:
                parts.append(f"{duration((self._total - self._done) / rate)} left")
        return ", ".join([*parts, self._info] if self._info else parts)


def duration(seconds: float) -> str:
    """Return seconds in words.

    >>> duration(41.6), duration(192), duration(7500)
    ('42 s', '3 min 12 s', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(advance: Advance) -> Callable[[int], None]:
    """Return a function of only the count, for code that gives no info.

    >>> with Silent().bar("work", total=1) as advance:
    ...     counted(advance)(1)
    """
    return lambda count: advance(count)
