"""A seeded fuzzer of checkpoint files: what is read must be a model or one sentence, in bounded time and memory.

    python -m tests.checkpoints.fuzzing --count 20000            # every format; minutes each
    python -m tests.checkpoints.fuzzing --format bson --only 1234 # one case again

Case N of a format is the same files on every machine. Half of the cases of a TensorFlow index, whose blocks have
checksums, change an entry and compute the checksums again, so that what lies behind them is tested as well.
"""

from __future__ import annotations

import random
import shutil
import struct
import tempfile
from pathlib import Path

from tests.fuzzed import Cost, Tally, command, run_guarded

NUMBERS = (0, 1, -1, 2**7, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**53, 2**63 - 1, -(2**63), 10**18)
WORDS = ("null", "true", "-1", "0", "1e999", "NaN", '"x"', "[]", "{}", "1.5", "9" * 400, "[" * 3000)


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


def run_case(healthy: Path, place: Path, *, name: str, number: int) -> Cost:
    """Damage a copy of a healthy model and read it.

    Args:
        healthy: folder or file of a good model.
        place: where the damaged copy goes.
        name: the format's, part of the seed.
        number: of the case, the rest of the seed.

    Raises:
        AssertionError: as `run_guarded`.
    """
    from albertkit.checkpoints import read_checkpoint

    target = damaged_copy(healthy, place, random.Random(f"{name} {number}"))
    return run_guarded(lambda: read_checkpoint(target), case=f"{name} {number}")


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


def fuzz(name: str, numbers: range) -> Tally:
    """Run cases of a format."""
    from tests.checkpoints.healthy import HEALTHY

    with tempfile.TemporaryDirectory(prefix="albertkit-fuzz-") as folder:
        healthy, place = HEALTHY[name](Path(folder)), Path(folder, "damaged")
        return Tally().run(lambda number: run_case(healthy, place, name=name, number=number), numbers)


if __name__ == "__main__":
    from tests.checkpoints.healthy import HEALTHY

    command(fuzz, names=HEALTHY, option="format", description=__doc__)
