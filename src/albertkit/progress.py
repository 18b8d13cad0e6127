"""Telling the user how long work goes: on standard error, with a bar where it is a terminal, or silently."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol


class Advance(Protocol):
    """Moves a bar on."""

    def __call__(self, count: int, *, info: str = "") -> None:
        """Count `count` more units done; `info` stands beside the bar."""
        ...


class Teller(Protocol):
    """Where long work reports to."""

    def say(self, sentence: str) -> None:
        """Show one sentence."""
        ...

    def bar(self, what: str, *, total: int) -> AbstractContextManager[Advance]:
        """Show a bar for `total` units of work while the block runs."""
        ...


class Silent:
    """Tells nothing: the default in Python."""

    def say(self, sentence: str) -> None:
        """Show nothing."""

    @contextmanager
    def bar(self, what: str, *, total: int) -> Iterator[Advance]:  # noqa: ARG002 - the protocol's signature
        """Show nothing."""

        def advance(count: int, *, info: str = "") -> None:
            pass

        yield advance


class Console:
    """Tells on standard error; bars only where that is a terminal."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self._console = RichConsole(stderr=True, highlight=False)
        self.said: set[str] = set()
        """Every sentence so far, without "note: " or "warning: " before it."""

    def say(self, sentence: str) -> None:
        """Print one sentence."""
        self.said.add(sentence.removeprefix("note: ").removeprefix("warning: "))
        self._console.print(sentence, markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, what: str, *, total: int) -> Iterator[Advance]:
        """Show a bar with the rate and the time left."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[info]}"),
        )
        with Progress(*columns, console=self._console, transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task(what, total=total, info="")

            def advance(count: int, *, info: str = "") -> None:
                fields: dict[str, Any] = {"info": info} if info else {}
                progress.update(task, advance=count, **fields)

            yield advance


def counted(advance: Advance) -> Callable[[int], None]:
    """Return a function of the count alone, for code that gives no info.

    >>> with Silent().bar("work", total=1) as advance:
    ...     counted(advance)(1)
    """
    return lambda count: advance(count)
