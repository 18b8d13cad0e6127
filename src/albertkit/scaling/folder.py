"""The folder of parts: a journal while a job runs, a manifest when every part is there.

    part-00000000.parquet ..     written under another name and renamed, so never half of one
    _progress.jsonl              the job's settings, then one line per part, while it runs
    _manifest.json               the same as one document; it takes the journal's place when all is done

The underscores hide the two from readers that open a folder of Parquet files as one table (pyarrow, pandas, Spark).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from albertkit import __version__
from albertkit.errors import RunError
from albertkit.io.file_digests import sha256_of
from albertkit.io.files import WriteError, write_json, write_text
from albertkit.io.locks import LOCK_FILES
from albertkit.io.vectors import PARTS_MANIFEST
from albertkit.scaling.job import Job
from albertkit.scaling.slices import Part

JOURNAL = "_progress.jsonl"
FORMAT = 1


class OutputFolder:
    """Output folder of a job's parts; if it holds the journal of the same job, the job resumes from there.

    Args:
        job: the job that writes the folder.
        parts: the parts of the whole input.

    Raises:
        RunError: the folder holds something else, or what another job has left.
        WriteError: the system refused.
    """

    def __init__(self, job: Job, parts: Sequence[Part]) -> None:
        self.job, self.path = job, job.output
        self.settings = {**job.settings(), "parts": len(parts), "rows": sum(part.rows for part in parts)}
        self.parts = {part.name(job.ending): part for part in parts}
        self.done: dict[str, Mapping[str, Any]] = {}
        """Name of a part that is there and whole -> what is known of it."""
        self.finished = False
        """Whether the manifest was there, with every part."""
        self._open()

    def _open(self) -> None:
        try:
            there = {file.name for file in self.path.iterdir()} - LOCK_FILES
        except OSError as error:
            raise WriteError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        manifest, journal = self.path / PARTS_MANIFEST, self.path / JOURNAL
        if manifest.name in there:
            said = _read_json(manifest)
            self._require_same(said.get("settings"), manifest)
            self._keep(said.get("files", []))
            self.finished = len(self.done) == len(self.parts)
            if self.finished:
                return
            with suppress(OSError):
                manifest.unlink()  # not the truth any more
        elif journal.name in there:
            first, *lines = _journal_lines(journal)
            self._require_same(first.get("settings"), journal)
            self._keep(lines)
        elif there:
            raise RunError(f"{self.path}: the folder holds other files ({min(there):.40}); give an empty or a new one")
        self._sweep()
        header = {"format": FORMAT, "albertkit": __version__, "settings": self.settings}
        write_text(journal, "".join(json.dumps(line) + "\n" for line in (header, *self.done.values())))

    def _require_same(self, said: Any, file: Path) -> None:
        if not isinstance(said, dict):
            raise RunError(f"{file}: not what albertkit wrote; give another --output, or delete the folder")
        for name, value in self.settings.items():
            if said.get(name) != value:
                raise RunError(
                    f"{self.path} holds the output of another job: {name} is {json.dumps(said.get(name)):.200} there "
                    f"and {json.dumps(value):.200} here; give another --output, or delete the folder"
                )

    def _keep(self, lines: Sequence[Any]) -> None:
        """Keep what is said of parts that are there as they were written."""
        for line in lines:
            try:
                name, size, digest = str(line["name"]), line["bytes"], line["sha256"]
                part = self.parts.get(name)
                file = self.path / name
                if part is None or line["rows"] != part.rows or file.stat().st_size != size:
                    continue
                if sha256_of(file) == digest:
                    self.done[name] = line
            except (OSError, KeyError, TypeError):
                continue

    def _sweep(self) -> None:
        """Remove what writers that were killed have left."""
        with suppress(OSError):
            for file in self.path.glob(".part-*.tmp"):
                file.unlink()

    @property
    def missing(self) -> list[Part]:
        """The parts that are to be made, in order."""
        return [part for name, part in self.parts.items() if name not in self.done]

    def add(self, line: Mapping[str, Any]) -> None:
        """Note a part that was written.

        Raises:
            RunError: it is not what was asked for.
            WriteError: the system refused.
        """
        part = self.parts.get(str(line["name"]))
        if part is None or line["rows"] != part.rows:
            raise RunError(f"{self.job.input}: was changed while it was read; run the command again, into a new folder")
        journal = self.path / JOURNAL
        try:
            with journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise WriteError(
                f"{journal}: cannot be written ({error.strerror or error}); the same command continues"
            ) from error
        self.done[str(line["name"])] = line

    def finish(self) -> None:
        """Write the manifest and remove the journal.

        Raises:
            RunError: the input was changed meanwhile.
            WriteError: the system refused.
        """
        assert not self.missing
        if self.job.input_state() != self.settings["input"]:
            raise RunError(f"{self.job.input}: was changed while it was read; run the command again, into a new folder")
        self._sweep()
        files = [self.done[name] for name in self.parts]
        content = {"format": FORMAT, "albertkit": __version__, "settings": self.settings, "files": files}
        write_json(self.path / PARTS_MANIFEST, content)
        with suppress(OSError):
            (self.path / JOURNAL).unlink()
        self.finished = True


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _journal_lines(path: Path) -> list[Any]:
    """Return the journal's documents; the last line may be incomplete if the driver was killed."""
    found: list[Any] = []
    with suppress(OSError, ValueError, RecursionError):
        for line in path.read_text(encoding="utf-8").splitlines():
            found.append(json.loads(line))
    return found if found and isinstance(found[0], dict) else [{}]
