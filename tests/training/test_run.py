"""The run directory: when it may be used, what a kill or a full disk leaves in it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny import files_limited_to, leftovers

from albertkit.errors import RunError
from albertkit.files import WriteError
from albertkit.training.run import RunFolder

SETTINGS = {"model": "m", "seed": 7, "head_hidden": [3], "out": "o", "threads": 1}


def begun(path: Path, **changes: Any) -> RunFolder:
    run = RunFolder.open(path, {**SETTINGS, **changes}, resume=False)
    run.begin({**SETTINGS, **changes}, step=0)
    return run


def test_opening_writes_nothing(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", SETTINGS, resume=False)
    RunFolder.open(tmp_path / "run", SETTINGS, resume=True)
    assert not list(tmp_path.iterdir())


def test_a_new_run_and_an_empty_folder(tmp_path: Path) -> None:
    begun(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == SETTINGS
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_an_existing_run_needs_resume(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(RunError, match="exists and is not empty; give another --out or --resume to go on"):
        RunFolder.open(tmp_path, SETTINGS, resume=False)
    RunFolder.open(tmp_path, {**SETTINGS, "threads": 2, "out": "elsewhere"}, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match=r"exists and is not empty; give another --out$"):
        RunFolder.open(tmp_path, SETTINGS, resume=resume)
    with pytest.raises(RunError, match="exists and is not empty"):
        RunFolder.open(tmp_path / "thesis.txt", SETTINGS, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_other_settings_cannot_go_on(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(RunError, match=r"goes on with the settings it started with; seed was 7 and is 8"):
        RunFolder.open(tmp_path, {**SETTINGS, "seed": 8}, resume=True)


def test_a_run_without_a_later_setting_goes_on_as_it_was(tmp_path: Path) -> None:
    begun(tmp_path)
    RunFolder.open(tmp_path, {**SETTINGS, "pooling": "pooler"}, resume=True)
    with pytest.raises(RunError, match=r"started with; pooling was 'pooler' and is 'mean'"):
        RunFolder.open(tmp_path, {**SETTINGS, "pooling": "mean"}, resume=True)


def test_a_complete_run_cannot_go_on(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(RunError, match="this run is complete"):
        RunFolder.open(tmp_path, SETTINGS, resume=True)


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    for content in ("{", "[1]"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(RunError, match=r"config.json: cannot be read .*; the run cannot go on, start it anew"):
            RunFolder.open(tmp_path, SETTINGS, resume=True)


def test_events_after_the_checkpoint_are_dropped_with_the_half_line_of_a_kill(tmp_path: Path) -> None:
    run = begun(tmp_path)
    for step in range(1, 5):
        run.log({"event": "step", "step": step})
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"event": "step", "st')
    run.begin(SETTINGS, step=2)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    run = begun(tmp_path)
    assert run.load_checkpoint() is None
    run.save_checkpoint({"step": 3, "weights": {"w": torch.arange(5.0)}})
    found = run.load_checkpoint()
    assert found is not None
    assert found["step"] == 3
    assert torch.equal(found["weights"]["w"], torch.arange(5.0))
    assert run.load_checkpoint(name="best") is None


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_a_corrupt_checkpoint_is_told(tmp_path: Path, keep: int) -> None:
    run = begun(tmp_path)
    run.save_checkpoint({"weights": torch.zeros(1000)})
    path = tmp_path / "checkpoints" / "last.pt"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunError, match=r"last.pt: the checkpoint is corrupt \(.*\); start the run anew") as caught:
        run.load_checkpoint()
    assert "\n" not in str(caught.value)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    run = begun(tmp_path)
    run.save_checkpoint({"weights": Bomb()})
    with pytest.raises(RunError, match="corrupt"):
        run.load_checkpoint()
    assert not (tmp_path / "exploded").exists()


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    run = begun(tmp_path)
    run.save_checkpoint({"step": 1})
    with files_limited_to(100_000), pytest.raises(WriteError, match=r"last.pt: cannot be written .* is untouched") as e:
        run.save_checkpoint({"step": 2, "weights": torch.zeros(1_000_000)})
    assert "\n" not in str(e.value)
    assert run.load_checkpoint() == {"step": 1}
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("function", ["os.replace", "torch.save"])
def test_no_space_at_any_moment(tmp_path: Path, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun(tmp_path)
    run.save_checkpoint({"step": 1})

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(function, refuse)
        with pytest.raises(WriteError, match="No space left on device"):
            run.save_checkpoint({"step": 2})
    assert run.load_checkpoint() == {"step": 1}
    assert not leftovers(tmp_path)


def test_a_full_disk_while_logging_says_how_to_go_on(tmp_path: Path) -> None:
    run = begun(tmp_path)
    with files_limited_to(50), pytest.raises(WriteError, match=r"metrics.jsonl: cannot be written.*--resume goes on"):
        run.log({"event": "step", "words": "x" * 100})
    run.begin(SETTINGS, step=0)
    assert (tmp_path / "metrics.jsonl").read_text() == ""
