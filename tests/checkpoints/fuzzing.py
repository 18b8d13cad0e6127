"""A seeded fuzzer of checkpoint files: what is read must be a model or one sentence, in bounded time and memory.

    python -m tests.checkpoints.fuzzing --count 20000            # every format; minutes each
    python -m tests.checkpoints.fuzzing --format bson --only 1234 # one case again

Case N of a format is the same files on every machine. Half of the cases of a TensorFlow index, whose blocks have
checksums, change an entry and compute the checksums anew, so that what lies behind them is tested as well.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS, MEGABYTES = 2.0, 500
"""What one file may cost."""

NUMBERS = (0, 1, -1, 2**7, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**53, 2**63 - 1, -(2**63), 10**18)
WORDS = ("null", "true", "-1", "0", "1e999", "NaN", '"x"', "[]", "{}", "1.5", "9" * 400, "[" * 3000)


class TooSlowError(Exception):
    """A case ran into the clock."""


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with one to four things wrong."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if not changed:
            return bytes(draw.randbytes(draw.randrange(64)))
        place = draw.randrange(len(changed))
        # Heads and tails of files hold their structure: half of the damage goes there.
        if draw.random() < 0.5:
            place = min(place, draw.randrange(256)) if draw.random() < 0.5 else max(0, len(changed) - 1 - place % 256)
            place = min(place, len(changed) - 1)
        kind = draw.randrange(9)
        if kind == 0:
            changed[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            changed[place] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        elif kind == 2:
            value = draw.choice(NUMBERS)
            size, code = draw.choice(((4, "<I"), (8, "<Q"), (4, ">I")))
            changed[place : place + size] = struct.pack(code, value % 2 ** (8 * size))
        elif kind == 3:
            del changed[place:]
        elif kind == 4:
            del changed[place : place + draw.randrange(1, 64)]
        elif kind == 5:
            changed[place:place] = changed[place : place + draw.randrange(1, 300)]
        elif kind == 6:
            changed[place:place] = draw.randbytes(draw.randrange(1, 40))
        elif kind == 7:
            other = draw.randrange(len(changed))
            changed[place : place + 16] = changed[other : other + 16]
        else:
            changed[place : place + 1] = draw.choice(WORDS).encode()
    return bytes(changed)


def mutate_table(data: bytes, draw: random.Random) -> bytes:
    """Return an index of TensorFlow with damage inside its entries and checksums that fit."""
    from albertkit.checkpoints.tensorflow.sstable import read_table, table_bytes

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        entries = read_table(Path(file.name))
    for _ in range(draw.choice((1, 1, 3))):
        key = draw.choice(list(entries))
        if draw.random() < 0.2:
            entries[mutate(key, draw)[:200]] = entries.pop(key)
        else:
            entries[key] = mutate(entries[key], draw)
    return table_bytes(dict(sorted(entries.items())))


@contextmanager
def clock(seconds: float) -> Iterator[None]:
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
    """Processor time of this process and its children: on a busy machine the wall clock says little of a file."""
    kinds = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in kinds)


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_case(healthy: Path, place: Path, *, name: str, number: int) -> str:
    """Damage a copy of a healthy model and read it.

    Args:
        healthy: folder or file of a good model.
        place: where the damaged copy goes.
        name: the format's, part of the seed.
        number: of the case, the rest of the seed.

    Returns:
        "read", or the name of the error's class.

    Raises:
        AssertionError: another error than ours, or one that is not a sentence; too slow; too much memory.
    """
    from albertkit.checkpoints import read_checkpoint

    target = damaged_copy(healthy, place, random.Random(f"{name} {number}"))
    return run_guarded(lambda: read_checkpoint(target), case=f"{name} {number}").outcome


@dataclass(frozen=True)
class Cost:
    """How a case ended, and what it cost."""

    outcome: str
    """"read", or the name of the error's class."""
    seconds: float
    """Of the processor."""
    megabytes: float
    """By which the most memory of the process grew."""


def run_guarded(read: Callable[[], object], *, case: str) -> Cost:
    """Read something damaged.

    Args:
        read: what may end well, or in an error of ours.
        case: what an assertion calls it.

    Raises:
        AssertionError: another error than ours, or one that is not a sentence; too slow; too much memory.
    """
    from albertkit.errors import AlbertkitError

    before, started = peak_megabytes(), used_seconds()
    outcome, message = "read", "-"
    try:
        with clock(5 * SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except AlbertkitError as error:
        outcome, message = type(error).__name__, str(error).strip()
    except TooSlowError as error:
        raise AssertionError(f"{case}: stopped after {5 * SECONDS} s") from error
    except BaseException as error:
        raise AssertionError(f"{case}: {type(error).__name__}: {str(error)[:200]}") from error
    assert 0 < len(message) < 20_000, f"{case}: a message of {len(message)} characters"
    seconds, grown = used_seconds() - started, peak_megabytes() - before
    assert seconds < SECONDS, f"{case}: {seconds:.1f} s"
    assert grown < MEGABYTES, f"{case}: {grown:.0f} MB"
    return Cost(outcome, seconds, grown)


def damaged_copy(healthy: Path, place: Path, draw: random.Random) -> Path:
    """Copy a model and damage one of its files (now and then one is gone)."""
    shutil.rmtree(place, ignore_errors=True)
    if healthy.is_file():
        place.mkdir()
        target = place / healthy.name
        target.write_bytes(mutate(healthy.read_bytes(), draw))
        return target
    shutil.copytree(healthy, place)
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.suffix not in (".model", ".spm"))
    victim = draw.choice(files)
    if draw.random() < 0.02:
        victim.unlink()
    elif victim.suffix == ".index" and draw.random() < 0.5:
        victim.write_bytes(mutate_table(victim.read_bytes(), draw))
    else:
        victim.write_bytes(mutate(victim.read_bytes(), draw))
    return place


def fuzz(healthy: Path, *, name: str, numbers: range) -> tuple[Counter[str], list[str]]:
    """Run cases; return how they ended, and a line for each that broke a promise."""
    outcomes: Counter[str] = Counter()
    broken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="albertkit-fuzz-") as folder:
        for number in numbers:
            try:
                outcomes[run_case(healthy, Path(folder, "m"), name=name, number=number)] += 1
            except AssertionError as error:
                outcomes["BROKEN"] += 1
                broken.append(str(error))
    return outcomes, broken


def main() -> None:
    from tests.checkpoints.healthy import HEALTHY

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", action="append", choices=sorted(HEALTHY))
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    # A file that asks for all memory shall fail here and not take the machine down.
    resource.setrlimit(resource.RLIMIT_AS, (24 * 2**30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    failed = False
    for name in options.format or sorted(HEALTHY):
        make: Callable[[Path], Path] = HEALTHY[name]
        with tempfile.TemporaryDirectory(prefix="albertkit-healthy-") as folder:
            healthy = make(Path(folder))
            numbers = range(options.first, options.first + options.count)
            started = time.perf_counter()
            outcomes, broken = fuzz(
                healthy, name=name, numbers=numbers if options.only is None else range(options.only, options.only + 1)
            )
        row: dict[str, Any] = {"format": name, **outcomes, "seconds": round(time.perf_counter() - started, 1)}
        row["peak_mb"] = round(peak_megabytes())
        print(json.dumps(row), flush=True)
        for line in broken[:20]:
            print("  " + line, flush=True)
        failed = failed or bool(broken)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
