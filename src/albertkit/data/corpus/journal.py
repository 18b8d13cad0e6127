"""Journal: the progress of a folder of shards, so that an interrupted job can resume.

`progress.json` is written, whole, after every shard; `manifest.json` takes its place at the end. The inputs are
compared by content up to where they were read: what comes behind may still change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from albertkit import __version__
from albertkit.data.corpus.documents import Chunk, Position
from albertkit.data.corpus.inputs import Input, InputReader
from albertkit.data.corpus.shards import (
    FORMAT,
    MANIFEST,
    PROGRESS,
    Corpus,
    check_record,
    shard_problem,
    token_dtype,
)
from albertkit.errors import RunError
from albertkit.io.files import read_json, write_json
from albertkit.io.locks import LOCK_FILES
from albertkit.io.progress import Progress

TOTALS = ("documents", "sentences", "tokens", "bytes")
COUNTS = ("empty_documents", "empty_sentences", "empty_files", "bad_bytes", "control_characters", "split_lines")
"""What is counted instead of being dropped silently."""


_NEW: Mapping[str, Any] = {"encoding": None}
"""Settings that a folder of an older version does not name -> what they were then."""


class Journal:
    """What a folder of shards holds so far.

    Args:
        folder: where the shards go.
        settings: what decides the content of the shards besides the text.
        sources: the inputs.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, Any], sources: Sequence[Input]) -> None:
        self.folder = folder
        self.settings = dict(settings)
        self.sources = sources
        self.position = Position()
        self.totals: Counter[str] = Counter(dict.fromkeys(TOTALS, 0))
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
        self.inputs: list[dict[str, Any]] = []
        self.shards: list[dict[str, Any]] = []
        self.complete = False

    @classmethod
    def open(
        cls, folder: Path, *, settings: Mapping[str, Any], sources: Sequence[Input], progress: Progress
    ) -> Journal:
        """Begin a folder, or go on with one that was begun with the same settings and text.

        Args:
            folder: see the class.
            settings: see the class.
            sources: see the class.
            progress: gets a report when work resumes and when inputs are read again.

        Raises:
            RunError: the folder holds something else, or was begun with other settings or text.
            DataError: the folder is complete and damaged, or an input cannot be read.
            WriteError: the system refused.
        """
        journal = cls(folder, settings=settings, sources=sources)
        if (folder / MANIFEST).is_file():
            journal._restore(Corpus.open(folder).manifest, progress=progress)
            journal.complete = True
            with suppress(OSError):  # left by a stop between the two files
                (folder / PROGRESS).unlink()
            return journal
        if (folder / PROGRESS).is_file():
            journal._restore(journal._read_progress(), progress=progress)
            journal._check_shards()
            progress.report(
                f"{folder}: continuing after shard {len(journal.shards)}, {journal.totals['tokens']:,} tokens"
            )
        elif folder.exists() and (not folder.is_dir() or any(not _is_ours(path) for path in folder.iterdir())):
            raise RunError(f"{folder} exists and is not a folder of shards; give another --out")
        else:
            journal.save()
        for path in folder.iterdir():
            if _is_temporary(path):
                path.unlink()
        return journal

    def take(self, chunk: Chunk, *, counts: Mapping[str, int]) -> None:
        """Count a chunk as read.

        Args:
            chunk: what was read.
            counts: what else was counted in it, by a name of TOTALS or COUNTS.
        """
        self.position = chunk.end
        self.totals["bytes"] += chunk.text_bytes
        self.counts["split_lines"] += chunk.split_lines
        self.counts["empty_files"] += chunk.empty_files
        for name, count in counts.items():
            (self.totals if name in TOTALS else self.counts)[name] += count
        for record in chunk.finished:
            self.inputs.append({**record._asdict(), "modified": _modified(self.sources[len(self.inputs)])})

    def save(self) -> None:
        """Write `progress.json`: everything counted so far is in finished shards.

        Raises:
            WriteError: the system refused.
        """
        write_json(self.folder / PROGRESS, {**self._content(), "position": self.position._asdict()})

    def finish(self) -> None:
        """Write `manifest.json` in place of `progress.json`.

        Raises:
            WriteError: the system refused.
        """
        content = self._content()
        for entry in content["inputs"]:
            del entry["modified"]
        del content["names"]
        write_json(self.folder / MANIFEST, content)
        (self.folder / PROGRESS).unlink()
        self.complete = True

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "albertkit": __version__,
            **self.settings,
            **{name: self.totals[name] for name in TOTALS},
            "counts": {name: self.counts[name] for name in COUNTS},
            "names": [source.name for source in self.sources],
            "inputs": [dict(entry) for entry in self.inputs],
            "shards": self.shards,
        }

    def _read_progress(self) -> dict[str, Any]:
        path = self.folder / PROGRESS
        try:
            content = dict(read_json(path))
            self.position = Position(**content["position"])
            if not all(isinstance(value, int) and 0 <= value <= 1 << 60 for value in self.position[:2]):
                raise ValueError("position")
            versions = content["format"], content["albertkit"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: cannot be read ({error!r}); remove the folder and start again") from error
        if versions != (FORMAT, __version__):
            raise RunError(f"{path}: begun by albertkit {versions[1]}, this is {__version__}; {_WAY_OUT}")
        return content

    def _restore(self, content: Mapping[str, Any], *, progress: Progress) -> None:
        try:
            names = content["names"] if "names" in content else [entry["name"] for entry in content["inputs"]]
            before = {**{key: content[key] for key in self.settings if key not in _NEW}, "inputs": names}
            before |= {key: content.get(key, value) for key, value in _NEW.items()}
            counts = [*(content[name] for name in TOTALS), *(content["counts"][name] for name in COUNTS)]
            self.inputs = [dict(entry) for entry in content["inputs"]]
            self.shards = [dict(record) for record in content["shards"]]
            for record in self.shards:
                check_record(record)
            if not all(isinstance(value, int) and 0 <= value <= 1 << 60 for value in counts):
                raise ValueError("counts")
            if not all({"bytes", "sha256"} <= entry.keys() for entry in self.inputs) or not isinstance(names, list):
                raise ValueError("inputs")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RunError(f"{self.folder}: its record is malformed ({error!r:.200}); {_WAY_OUT}") from error
        self.totals.update(dict(zip(TOTALS, counts, strict=False)))
        self.counts.update(dict(zip(COUNTS, counts[len(TOTALS) :], strict=True)))
        now = {**self.settings, "inputs": [source.name for source in self.sources]}
        changed = _differences(before, now)
        if changed:
            raise RunError(f"{self.folder}: prepared with other settings: {'; '.join(changed)}; {_WAY_OUT}")
        for source, entry in zip(self.sources, self.inputs, strict=False):
            self._check_input(source, entry, progress=progress)

    def _check_input(self, source: Input, entry: Mapping[str, Any], *, progress: Progress) -> None:
        if source.path is not None and source.size != entry["bytes"]:
            raise RunError(f"{source.path}: had {entry['bytes']} bytes, now it has {source.size}; {_WAY_OUT}")
        if source.path is not None and entry.get("modified") == _modified(source):
            return
        if source.size > 1 << 28:
            progress.report(f"{source.path}: reading it again to check that it is unchanged")
        with InputReader(source) as reader:
            if reader.record().sha256 != entry["sha256"]:
                raise RunError(f"{source.path or 'standard input'}: its content has changed; {_WAY_OUT}")

    def _check_shards(self) -> None:
        dtype = token_dtype(int(self.settings["tokenizer"]["vocab_size"]))
        for record in self.shards:
            problem = shard_problem(self.folder, record, dtype=dtype)
            if problem is not None:
                raise RunError(f"{self.folder}: {problem}; remove the folder and start again")


_WAY_OUT = "give another --out, or remove that folder"


def _modified(source: Input) -> int | None:
    try:
        return None if source.path is None else source.path.stat().st_mtime_ns
    except OSError:  # removed since it was read: its content will be asked for
        return None


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".tmp")


def _is_ours(path: Path) -> bool:
    return _is_temporary(path) or path.name in LOCK_FILES


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], *, prefix: str = "") -> list[str]:
    changed = []
    for key, value in now.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            changed += _differences(old, value, prefix=f"{key} ")
        elif isinstance(value, list) and isinstance(old, list) and old != value:
            extra = [f"{name} is new" for name in value if name not in old]
            gone = [f"{name} is missing" for name in old if name not in value]
            listed = (extra + gone)[:3] or ["another order"]
            changed.append(f"{prefix}{key}: {', '.join(listed)}")
        elif old != value:
            changed.append(f"{prefix}{key} was {old!r} and is {value!r}")
    return changed
