"""A cluster without Ray: the workers' own code, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import Runner
from tests.tiny import keyword_rows, settings, write_csv

from albertkit.datasets import text_files
from albertkit.scaling import run
from albertkit.scaling.cluster import Shares
from albertkit.scaling.job import Job
from albertkit.scaling.slices import Part
from albertkit.scaling.worker import PartWorker


@pytest.fixture
def albertkit(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Function that runs a command."""
    return Runner(capfd, monkeypatch)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the parts that were made, in order."""
    names: list[str] = []

    @contextmanager
    def cluster(*_: Any, **__: Any) -> Iterator[Shares]:
        yield Shares(now=1, most=1, threads=1)

    def results(job: Job, parts: Sequence[Part], *, shares: Shares, size: int) -> Iterator[Mapping[str, Any]]:
        del shares
        worker = PartWorker(job, size)
        for part in reversed(parts):  # as they come
            names.append(part.name(job.ending))
            where = {"start": part.slice.start, "end": part.slice.end, "first": part.slice.first}
            yield worker({"name": part.name(job.ending), **where})

    monkeypatch.setattr(run, "cluster", cluster)
    monkeypatch.setattr(run, "results", results)
    monkeypatch.setattr(text_files, "ROWS", 7)
    return names


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on texts of two classes."""
    from albertkit.training.finetune import finetune

    folder = tmp_path_factory.mktemp("scaling")
    finetune(settings(write_csv(folder / "t.csv", keyword_rows(40)), folder / "run", epochs=1))
    return folder / "run"
