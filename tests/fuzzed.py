"""The frame of all fuzzers: what a damaged file may cost, how its reading is judged, and the command that runs cases.

A fuzzer gives a function `fuzz(name, numbers)` that damages and reads one file per number. Case N of a name is the same
file on every machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

SECONDS, MEGABYTES = 2.0, 500
"""What one file may cost, in seconds of the processor and in memory."""

WALL_SECONDS = 60.0
"""After which a case is taken to hang. On a busy machine the wall clock says little of a file."""

ADDRESS_SPACE = 24 * 2**30
"""Bytes. A file that asks for all memory must fail in the fuzzer and not take the machine down."""


class TooSlowError(Exception):
    """A case ran into the clock."""


@contextmanager
def clock(seconds: float) -> Iterator[None]:
    """Raise TooSlowError in the block after so many seconds of the wall clock."""

    def ring(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def used_seconds() -> float:
    """Return the processor time of this process and its children."""
    kinds = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in kinds)


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass(frozen=True)
class Cost:
    """How a case ended, and what it cost."""

    outcome: str
    """"read", or the name of the error's class."""
    seconds: float
    """Of the processor."""
    megabytes: float
    """By which the most memory of the process grew."""


def run_guarded(read: Callable[[], object], *, case: str, one_line: bool = False) -> Cost:
    """Read something damaged.

    Args:
        read: what may end well, or in an error of ours.
        case: what an assertion calls it.
        one_line: whether an error must be one line; those that list tensors are several.

    Raises:
        AssertionError: another error than ours, or one that is not a sentence; too slow; too much memory.
    """
    from albertkit.errors import AlbertkitError

    before, started = peak_megabytes(), used_seconds()
    outcome, message = "read", "-"
    try:
        with clock(WALL_SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except AlbertkitError as error:
        outcome, message = type(error).__name__, str(error).strip()
    except TooSlowError as error:
        raise AssertionError(f"{case}: stopped after {WALL_SECONDS} s") from error
    except BaseException as error:
        raise AssertionError(f"{case}: {type(error).__name__}: {str(error)[:200]}") from error
    assert 0 < len(message) < 20_000, f"{case}: a message of {len(message)} characters"
    assert not one_line or "\n" not in message, f"{case}: not one line: {message[:200]}"
    seconds, grown = used_seconds() - started, peak_megabytes() - before
    assert seconds < SECONDS, f"{case}: {seconds:.1f} s"
    assert grown < MEGABYTES, f"{case}: {grown:.0f} MB"
    return Cost(outcome, seconds, grown)


@dataclass
class Tally:
    """How many cases ended."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Ending ("read", the name of the error's class, or "BROKEN") -> number of cases."""
    broken: list[str] = field(default_factory=list)
    """A line for each case that broke a promise."""
    seconds: float = 0.0
    """Of the processor, of the slowest case."""
    megabytes: float = 0.0
    """Of the case that took most."""

    def run(self, case: Callable[[int], Cost], numbers: Iterable[int]) -> Tally:
        """Run cases and count them."""
        for number in numbers:
            try:
                cost = case(number)
            except AssertionError as error:
                self.outcomes["BROKEN"] += 1
                self.broken.append(str(error))
                continue
            self.outcomes[cost.outcome] += 1
            self.seconds, self.megabytes = max(self.seconds, cost.seconds), max(self.megabytes, cost.megabytes)
        return self

    @property
    def refused(self) -> int:
        """Number of cases that ended in an error of ours."""
        return self.outcomes.total() - self.outcomes["read"] - self.outcomes["BROKEN"]


def command(fuzz: Callable[[str, range], Tally], *, names: Iterable[str], option: str, description: str | None) -> None:
    """Run the command line of a fuzzer: one line of JSON per name, then its broken cases; exit 1 where there are any.

    Args:
        fuzz: runs the cases of a name.
        names: all that there are.
        option: what the command line calls a name, such as "reader".
        description: for `--help`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(f"--{option}", action="append", choices=sorted(names), dest="names")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))
    numbers = range(options.first, options.first + options.count)
    if options.only is not None:
        numbers = range(options.only, options.only + 1)
    failed = False
    for name in options.names or sorted(names):
        started = time.perf_counter()
        tally = fuzz(name, numbers)
        row: dict[str, Any] = {option: name, **tally.outcomes, "seconds": round(time.perf_counter() - started, 1)}
        row |= {"slowest_s": round(tally.seconds, 3), "largest_mb": round(tally.megabytes, 1)}
        print(json.dumps({**row, "peak_mb": round(peak_megabytes())}), flush=True)
        for line in tally.broken[:40]:
            print("  " + line.encode("utf-8", "backslashreplace").decode(), flush=True)
        failed = failed or bool(tally.broken)
    sys.exit(int(failed))
