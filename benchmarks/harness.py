"""The ends that the timing programs share: options, rounds in turn, medians, memory, one row, JSON and exit code."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from albertkit.errors import AlbertkitError
from albertkit.io.files import write_json

Report = dict[str, Any]


def options_of(doc: str | None, *, threads: int, quick: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every program has.

    Args:
        doc: the program's docstring; its first line is the help.
        threads: processor threads when none are named.
        quick: what `--quick` does here.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json-out", type=Path, metavar="FILE", help="write the JSON here, too")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="real data; read where the program uses some")
    parser.add_argument("--rounds", type=int, metavar="N", help="timed rounds")
    parser.add_argument(
        "--threads", type=int, default=threads, metavar="N", help="processor threads of all contenders (%(default)s)"
    )
    return parser


def parsed(parser: argparse.ArgumentParser, arguments: Sequence[str] | None, *, positive: Sequence[str] = ()) -> Any:
    """Return the options; rounds, threads and those named `positive` must be 1 or more where they are given."""
    options = parser.parse_args(arguments)
    for name in ("rounds", "threads", *positive):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')} is {value}; it must be 1 or more")
    return options


def run_program(measure: Callable[[Any], Report], options: Any) -> int:
    """Measure, print JSON, return the exit code; an error meant for the user is one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = measure(options)
        if options.json_out is not None:
            write_json(options.json_out, report)
    except AlbertkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        print(
            f"error: this program compares with {error.name}, which is not installed: make setup brings it",
            file=sys.stderr,
        )
        return 1
    print(json.dumps(report, indent=2))
    return 0


def in_turns(
    contenders: Mapping[str, Callable[[], Any]],
    *,
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[dict[str, list[float]], dict[str, list[Any]]]:
    """Run all contenders, one after the other, round after round; every other round in the opposite order.

    Returns:
        Seconds of each contender's timed rounds, and what it gave in all rounds, those of the warm-up first.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    given: dict[str, list[Any]] = {name: [] for name in contenders}
    for number in range(warm_up + rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            started = clock()
            given[name].append(contenders[name]())
            if number >= warm_up:
                seconds[name].append(clock() - started)
    return seconds, given


def spread(values: Sequence[float], *, digits: int = 4) -> dict[str, float]:
    """Return median, lowest and highest."""
    found = {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def row(
    case: str,
    *,
    ours: float,
    peer: float,
    unit: str,
    peer_name: str,
    peer_mode: str,
    precision: str | None = None,
    peer_precision: str | None = None,
    max_difference: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return one case of a report; `ratio` above 1 says that ours is better: in rates the larger, else the smaller."""
    ratio = peer / ours if unit in ("s", "MB") else ours / peer
    return {
        "case": case,
        "precision": precision,
        "ours": round(ours, 4),
        "peer": round(peer, 4),
        "peer_name": peer_name,
        "peer_mode": peer_mode,
        "peer_precision": peer_precision,
        "unit": unit,
        "ratio": round(ratio, 3),
        "max_difference": max_difference,
        **more,
    }


@contextmanager
def peak_memory() -> Iterator[dict[str, float]]:
    """Measure how far the process grows inside; `megabytes` is in the dictionary afterwards, on Linux."""
    found: dict[str, float] = {}
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak; proc(5)
        before = _megabytes(status, "VmRSS")
    except OSError:
        yield found
        return
    yield found
    found["megabytes"] = round(_megabytes(status, "VmHWM") - before, 1)


def _megabytes(status: Path, name: str) -> float:
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024
