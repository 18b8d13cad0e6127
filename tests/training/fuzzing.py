"""A seeded fuzzer of what a run reads back: its folder and its shards. What is read is good, or one sentence.

    python -m tests.training.fuzzing --count 20000             # every reader; minutes each
    python -m tests.training.fuzzing --reader report --only 7  # one case again

Half of the cases change a value inside the structure (JSON, a checkpoint with a digest that fits, an array), so that
what lies behind the parsers is tested as well; the others change bytes.
"""

from __future__ import annotations

import copy
import io
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.checkpoints.fuzzing import NUMBERS, mutate
from tests.fuzzed import Cost, Tally, command, run_guarded
from tests.training.fuzzed_readers import READERS, Reader

from albertkit.training.run_folder import RunFolder

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


def run_case(reader: Reader, folder: Path, *, healthy: dict[str, bytes], name: str, number: int) -> Cost:
    """Damage one file of a healthy folder, read the folder, and put the files back.

    Args:
        reader: who reads.
        folder: the folder.
        healthy: name -> content of its files.
        name: the reader's, part of the seed.
        number: of the case, the rest of the seed.

    Raises:
        AssertionError: as `run_guarded`.
    """
    draw = random.Random(f"{name} {number}")
    victim = draw.choice(reader.victims)
    damaged = damage(victim, healthy[victim], folder, draw)
    (folder / victim).write_bytes(damaged)
    if draw.random() < 0.01:
        (folder / victim).unlink()
    try:
        return run_guarded(lambda: reader.read(folder, number), case=f"{name} {number} ({victim})", one_line=True)
    finally:
        for each, content in healthy.items():
            (folder / each).write_bytes(content)


def fuzz(name: str, numbers: range) -> Tally:
    """Run cases of a reader."""
    make: Callable[[Path], Reader] = READERS[name]
    with tempfile.TemporaryDirectory(prefix="albertkit-fuzz-") as folder:
        reader = make(Path(folder))
        healthy = {each: Path(folder, each).read_bytes() for each in reader.files}
        reader.read(Path(folder), 0)
        return Tally().run(
            lambda number: run_case(reader, Path(folder), healthy=healthy, name=name, number=number), numbers
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    command(fuzz, names=READERS, option="reader", description=__doc__)
