"""Work that was stopped continues and ends in the same bytes; what changed meanwhile is said."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from albertkit.data.corpus.journal import Journal
from albertkit.data.corpus.prepare import prepare
from albertkit.data.corpus.shards import Corpus
from albertkit.errors import DataError, RunError
from albertkit.io.progress import Silent
from albertkit.text.tokenizer import Tokenizer

SMALL: dict[str, Any] = {"shard_tokens": 1_000, "chunk_bytes": 2_000, "processes": 1}


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Stopped(BaseException):
    """As KeyboardInterrupt would."""


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Function that lets the n-th chunk from now be the last one."""
    take = Journal.take

    def arm(count: int) -> None:
        left = iter(range(count))

        def counted(journal: Journal, *arguments: Any, **options: Any) -> None:
            if next(left, None) is None:
                raise Stopped
            take(journal, *arguments, **options)

        monkeypatch.setattr(Journal, "take", counted)

    yield arm
    monkeypatch.undo()


@pytest.mark.parametrize("every", [8, 17])
def test_stopped_again_and_again(
    every: int, files: list[Path], tmp_path: Path, tokenizer: Tokenizer, stop_at: Any
) -> None:
    prepare(files, out=tmp_path / "whole", tokenizer=tokenizer, **SMALL | {"shard_tokens": 300, "chunk_bytes": 1_000})
    out = tmp_path / "stopped"
    stops = 0
    while stops < 60:
        stops += 1
        stop_at(every)
        with suppress(Stopped):
            report = prepare(files, out=out, tokenizer=tokenizer, **SMALL | {"shard_tokens": 300, "chunk_bytes": 1_000})
            break
    assert stops > 2
    assert contents(out) == contents(tmp_path / "whole")
    assert report["bytes"] == sum(path.stat().st_size for path in files)
    assert list(out.glob(".*")) == []


def test_standard_input_goes_on_too(
    text: bytes, tmp_path: Path, tokenizer: Tokenizer, stop_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    give(text)
    prepare(["-"], out=tmp_path / "whole", tokenizer=tokenizer, **SMALL)
    stop_at(15)
    give(text)
    with pytest.raises(Stopped):
        prepare(["-"], out=tmp_path / "s", tokenizer=tokenizer, **SMALL)
    stop_at(1000)
    give(b"?" + text[1:])
    with pytest.raises(RunError, match=r"the first \d+ bytes of its text are not what they were"):
        prepare(["-"], out=tmp_path / "s", tokenizer=tokenizer, **SMALL)
    give(text)
    prepare(["-"], out=tmp_path / "s", tokenizer=tokenizer, **SMALL)
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")
    give(text)
    prepare(["-"], out=tmp_path / "s", tokenizer=tokenizer, **SMALL)
    give(text + b"more")
    with pytest.raises(RunError, match="standard input: its content has changed"):
        prepare(["-"], out=tmp_path / "s", tokenizer=tokenizer, **SMALL)


class Heard(Silent):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def report(self, sentence: str, *, kind: str = "info") -> None:  # noqa: ARG002 - the protocol's signature
        self.sentences.append(sentence)


def test_what_changed_is_said(files: list[Path], tmp_path: Path, tokenizer: Tokenizer, stop_at: Any) -> None:
    out = tmp_path / "s"
    stop_at(20)
    with pytest.raises(Stopped):
        prepare(files, out=out, tokenizer=tokenizer, **SMALL)
    stop_at(1000)
    with pytest.raises(DataError, match="not finished; the same albertkit prepare command again continues with it"):
        Corpus.open(out)
    keeping = Tokenizer.official(keep_accents=True)
    for complete in (False, True):
        for inputs, options, words in (
            (files, {"sentences": "line"}, "sentence_rule was 'split' and is 'line'; give another --out, or remove"),
            (files, {"max_length": 128, "shard_tokens": 7}, "max_length was 512 and is 128; shard_tokens was 1000 and"),
            (files, {"tokenizer": keeping}, "tokenizer keep_accents was False and is True"),
            (files[:-1], {}, r"inputs: 2\.txt is missing"),
            ([*files, files[0]], {}, "inputs: another order"),
        ):
            with pytest.raises(RunError, match=words):
                prepare(inputs, **{"out": out, "tokenizer": tokenizer, **SMALL, **options})
        before = files[0].read_bytes()
        files[0].write_bytes(before + b"!")
        with pytest.raises(RunError, match=r"0\.txt: had \d+ bytes, now it has \d+; give another --out"):
            prepare(files, out=out, tokenizer=tokenizer, **SMALL)
        files[0].write_bytes(b"!" + before[1:])
        with pytest.raises(RunError, match=r"0\.txt: its content has changed"):
            prepare(files, out=out, tokenizer=tokenizer, **SMALL)
        files[0].write_bytes(before)  # another time, the same content
        heard = Heard()
        report = prepare(files, out=out, tokenizer=tokenizer, progress=heard, **SMALL)
        assert [("already complete" in said, "continuing after shard" in said) for said in heard.sentences] == [
            (complete, not complete)
        ]
        assert report["shards"] == len(Corpus.open(out, verify=True).manifest["shards"])


def test_shards_that_went_missing(files: list[Path], tmp_path: Path, tokenizer: Tokenizer, stop_at: Any) -> None:
    stop_at(20)
    with pytest.raises(Stopped):
        prepare(files, out=tmp_path / "s", tokenizer=tokenizer, **SMALL)
    (tmp_path / "s" / "00001.tokens.npy").unlink()
    with pytest.raises(RunError, match=r"00001\.tokens\.npy is missing; remove the folder and start again"):
        prepare(files, out=tmp_path / "s", tokenizer=tokenizer, **SMALL)
    (tmp_path / "s" / "progress.json").write_text("{")
    with pytest.raises(RunError, match=r"progress\.json: cannot be read .*; remove the folder and start again"):
        prepare(files, out=tmp_path / "s", tokenizer=tokenizer, **SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_at_random_moments(processes: int, text: bytes, tmp_path: Path, tokenizer: Tokenizer) -> None:
    (tmp_path / "t.txt").write_bytes(b"\n\n".join([text] * 80))
    settings: dict[str, Any] = {"shard_tokens": 40_000, "chunk_bytes": 20_000}
    prepare(tmp_path / "t.txt", out=tmp_path / "whole", tokenizer=tokenizer, processes=1, **settings)
    program = (
        "import sys\n"
        "from albertkit.data.corpus.prepare import prepare\n"
        "from albertkit.text.tokenizer import Tokenizer\n"
        "if __name__ == '__main__':\n"
        "    prepare(sys.argv[1], out=sys.argv[2], tokenizer=Tokenizer.official(), processes=int(sys.argv[3]),\n"
        "            shard_tokens=40_000, chunk_bytes=20_000)\n"
    )
    (tmp_path / "go.py").write_text(program)
    arguments = [sys.executable, str(tmp_path / "go.py"), str(tmp_path / "t.txt"), str(tmp_path / "s"), str(processes)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = time.monotonic()
    subprocess.run([*arguments[:3], str(tmp_path / "again"), str(processes)], env=environment, check=True)
    usual = time.monotonic() - started
    draw, killed, partly = random.Random(processes), 0, 0
    for _ in range(40):
        process = subprocess.Popen(arguments, env=environment)
        deadline = time.monotonic() + draw.uniform(0.2, 0.9) * usual
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is not None:
            break
        workers = _children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
        progress = tmp_path / "s" / "progress.json"
        partly += progress.is_file() and bool(json.loads(progress.read_text())["shards"])
        _wait_until_gone(workers)
    assert process.returncode == 0
    assert killed > 0
    assert partly > 0
    assert contents(tmp_path / "s") == contents(tmp_path / "whole") == contents(tmp_path / "again")


def _children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(number) for number in path.read_text().split()] if path.is_file() else []


def _wait_until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(_runs(process) for process in processes):
        assert time.monotonic() < deadline, "workers outlive the process that was killed"
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
