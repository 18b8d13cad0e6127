"""A seeded fuzzer of what a run reads back: its folder and its shards. What is read is good, or one sentence.

    python -m tests.training.fuzzing --count 20000             # every reader; minutes each
    python -m tests.training.fuzzing --reader report --only 7  # one case again

Half of the cases change a value inside the structure (JSON, a checkpoint with a digest that fits, an array), so that
what lies behind the parsers is tested as well; the others change bytes. The harness is that of checkpoint files.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.checkpoints.fuzzing import (
    MEGABYTES,
    NUMBERS,
    SECONDS,
    TooSlowError,
    clock,
    mutate,
    peak_megabytes,
    used_seconds,
)
from tests.training.fuzzed_readers import READERS, Reader

from albertkit.errors import AlbertkitError
from albertkit.training.run import RunFolder

WALL_SECONDS = 60.0
"""After which a case is taken to hang; what it may cost is counted in seconds of the processor."""

ODD: tuple[Any, ...] = (
    None, True, False, "", "x", "../../x", "\ud800", "caf\u00e9" * 50, [], {}, [[]], {"": None}, 0.5, -0.0, 1e308,
    1e-320, float("inf"), float("-inf"), float("nan"), 10**400, *NUMBERS,
)  # fmt: skip


def change_tree(tree: Any, draw: random.Random) -> Any:
    """Return a copy of nested mappings and lists with one to three things wrong."""
    tree = copy.deepcopy(tree)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        places = _places(tree)
        if not places:
            return copy.deepcopy(draw.choice(ODD))
        holder, key = draw.choice(places)
        kind = draw.randrange(6)
        if kind <= 2:
            holder[key] = copy.deepcopy(draw.choice(ODD))
        elif kind == 3:
            other, name = draw.choice(places)
            holder[key] = copy.deepcopy(other[name])
        elif kind == 4:
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw.choice(("x", "", "step", "tokens", f"{key}s"))] = holder.pop(key)
        else:
            holder.extend(holder[:])
    return draw.choice(ODD) if draw.random() < 0.02 else tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting and len(found) < 10_000:
        node = waiting.pop()
        keys: Any = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            found.append((node, key))
            waiting.append(node[key])
    return found


def damage(name: str, data: bytes, folder: Path, draw: random.Random) -> bytes:
    """Return the content of a file with something wrong in it."""
    if draw.random() < 0.5:
        return mutate(data, draw)
    if name.endswith(".json"):
        return json.dumps(change_tree(json.loads(data), draw)).encode()
    if name.endswith(".jsonl"):
        lines = data.splitlines()
        for _ in range(draw.choice((1, 1, 3))):
            row = draw.randrange(len(lines))
            lines[row] = json.dumps(change_tree(json.loads(lines[row]), draw)).encode()
        return b"\n".join(lines) + b"\n" * draw.randrange(2)
    if name.endswith(".pt"):
        state = torch.load(io.BytesIO(data), weights_only=True)
        state.pop("content_sha256")
        changed = change_tree(state, draw)
        if not isinstance(changed, dict):
            return mutate(data, draw)
        RunFolder(folder).save_checkpoint(changed, name="fuzzed")
        return (folder / "checkpoints" / "fuzzed.pt").read_bytes()
    if name.endswith(".npy"):
        array = np.load(io.BytesIO(data))
        kind = draw.randrange(5)
        if kind <= 2:
            array[draw.randrange(len(array))] = draw.choice(NUMBERS) % (np.iinfo(array.dtype).max + 1)
        elif kind == 3:
            array = array[draw.randrange(len(array)) :]
        else:
            array = array.astype(draw.choice(("<i8", "<u4", "<f8", "<u2", ">i8")))
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()
    return mutate(data, draw)


def run_case(reader: Reader, folder: Path, *, healthy: dict[str, bytes], name: str, number: int) -> str:
    """Damage one file of a healthy folder, read the folder, and put the files back.

    Args:
        reader: who reads.
        folder: the folder.
        healthy: name -> content of its files.
        name: the reader's, part of the seed.
        number: of the case, the rest of the seed.

    Returns:
        "read", or the name of the error's class.

    Raises:
        AssertionError: another error than ours, or one that is not a sentence; too slow; too much memory.
    """
    draw = random.Random(f"{name} {number}")
    victim = draw.choice(reader.victims)
    damaged = damage(victim, healthy[victim], folder, draw)
    (folder / victim).write_bytes(damaged)
    if draw.random() < 0.01:
        (folder / victim).unlink()
    before, started = peak_megabytes(), used_seconds()
    outcome, message = "read", "-"
    try:
        with clock(WALL_SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(folder, number)
    except AlbertkitError as error:
        outcome, message = type(error).__name__, str(error).strip()
    except TooSlowError as error:
        raise AssertionError(f"{name} {number}: stopped after {WALL_SECONDS} s") from error
    except BaseException as error:
        raise AssertionError(f"{name} {number} ({victim}): {type(error).__name__}: {str(error)[:200]}") from error
    finally:
        for each, content in healthy.items():
            (folder / each).write_bytes(content)
    assert 0 < len(message) < 20_000, f"{name} {number}: a message of {len(message)} characters"
    assert "\n" not in message, f"{name} {number}: not one line: {message[:200]}"
    seconds, grown = used_seconds() - started, peak_megabytes() - before
    assert seconds < SECONDS, f"{name} {number}: {seconds:.1f} s"
    assert grown < MEGABYTES, f"{name} {number}: {grown:.0f} MB"
    SLOWEST[name] = max(SLOWEST.get(name, 0.0), seconds)
    return outcome


SLOWEST: dict[str, float] = {}
"""Reader -> processor seconds of its slowest case."""


def fuzz(name: str, *, numbers: range) -> tuple[Counter[str], list[str]]:
    """Run cases; return how they ended, and a line for each that broke a promise."""
    outcomes: Counter[str] = Counter()
    broken: list[str] = []
    make: Callable[[Path], Reader] = READERS[name]
    with tempfile.TemporaryDirectory(prefix="albertkit-fuzz-") as folder:
        reader = make(Path(folder))
        healthy = {each: Path(folder, each).read_bytes() for each in reader.files}
        reader.read(Path(folder), 0)
        for number in numbers:
            try:
                outcomes[run_case(reader, Path(folder), healthy=healthy, name=name, number=number)] += 1
            except AssertionError as error:
                outcomes["BROKEN"] += 1
                broken.append(str(error))
    return outcomes, broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", action="append", choices=sorted(READERS))
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    # A file that asks for all memory must fail here and not take the machine down.
    resource.setrlimit(resource.RLIMIT_AS, (24 * 2**30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    torch.set_num_threads(1)
    failed = False
    for name in options.reader or sorted(READERS):
        started = time.perf_counter()
        numbers = range(options.first, options.first + options.count)
        outcomes, broken = fuzz(
            name, numbers=numbers if options.only is None else range(options.only, options.only + 1)
        )
        row = {"reader": name, **outcomes, "seconds": round(time.perf_counter() - started, 1)}
        print(json.dumps({**row, "slowest": round(SLOWEST.get(name, 0.0), 3), "peak_mb": round(peak_megabytes())}))
        for line in broken[:20]:
            print("  " + line.encode("utf-8", "backslashreplace").decode(), flush=True)
        failed = failed or bool(broken)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
