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
from albertkit.io.files import WriteError
from albertkit.training.run_folder import RunFolder

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
    with pytest.raises(RunError, match="exists and is not empty; give another --out or --resume to continue"):
        RunFolder.open(tmp_path, SETTINGS, resume=False)
    RunFolder.open(tmp_path, {**SETTINGS, "threads": 2, "out": "elsewhere"}, resume=True)


def test_a_setting_under_its_older_name_continues(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"mask_share": 0.2, "recompute": True}))
    now = {"mlm_probability": 0.2, "gradient_checkpointing": False}
    assert RunFolder.open(tmp_path, now, resume=True).is_begun
    with pytest.raises(RunError, match=r"mlm_probability was 0\.2 and is 0\.15"):
        RunFolder.open(tmp_path, {**now, "mlm_probability": 0.15}, resume=True)


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
    with pytest.raises(RunError, match=r"continues with the settings it started with; seed was 7 and is 8"):
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
    for content in (b"{", b"[1]", b"\xff", b"[" * 100_000, b"3", b"null"):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(RunError, match=r"config.json: cannot be read .*; start the run again, with another --out"):
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
    with pytest.raises(RunError, match=r"last.pt: the checkpoint is corrupt \(.*\); start the run again") as caught:
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
    with files_limited_to(100_000), pytest.raises(WriteError, match=r"last.pt: cannot be written .* is unchanged") as e:
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
    with files_limited_to(50), pytest.raises(WriteError, match=r"metrics.jsonl: cannot be written.*--resume continues"):
        run.log({"event": "step", "words": "x" * 100})
    run.begin(SETTINGS, step=0)
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_a_temporary_settings_file_and_a_lock_do_not_occupy_a_folder(tmp_path: Path) -> None:
    for name in (".config.json.4711.tmp", ".lock", ".lock-holder"):
        (tmp_path / name).write_text("{")
    begun(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == SETTINGS
    assert not (tmp_path / ".config.json.4711.tmp").exists()


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    run = begun(tmp_path)
    run.save_checkpoint({"step": 1})
    (tmp_path / "checkpoints" / ".last.pt.4711.tmp").write_bytes(bytes(1000))
    (tmp_path / ".model.ab3_x9zz.tmp").mkdir()
    (tmp_path / ".model.ab3_x9zz.tmp" / "model.safetensors").write_bytes(bytes(1000))
    (tmp_path / ".model.0123abcd.old").mkdir()  # moved aside when the kill came: the model itself
    (tmp_path / ".model.0123abcd.old" / "config.json").write_text("{}")
    (tmp_path / ".gitignore").write_text("*")
    RunFolder.open(tmp_path, SETTINGS, resume=True).begin(SETTINGS, step=1)
    assert leftovers(tmp_path) == [".gitignore"]
    assert (tmp_path / "model" / "config.json").read_text() == "{}"
    assert run.load_checkpoint() == {"step": 1}


@pytest.mark.parametrize("name", ["last", "best"])
def test_every_flipped_bit_of_the_weights_is_told(tmp_path: Path, name: str) -> None:
    run = begun(tmp_path)
    weights = torch.arange(50.0)
    run.save_checkpoint({"weights": {"w": weights}, "step": 3}, name=name)
    path = tmp_path / "checkpoints" / f"{name}.pt"
    whole = path.read_bytes()
    place = whole.index(weights.numpy().tobytes())
    for byte in range(place, place + 200, 7):
        path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 4]) + whole[byte + 1 :])
        with pytest.raises(RunError, match=rf"{name}\.pt: the checkpoint is corrupt \("):
            run.load_checkpoint(name=name)
    path.write_bytes(whole)
    assert run.load_checkpoint(name=name) is not None


def test_a_checkpoint_of_an_older_version_has_no_digest_and_loads(tmp_path: Path) -> None:
    run = begun(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    torch.save({"step": 3}, tmp_path / "checkpoints" / "last.pt")
    assert run.load_checkpoint() == {"step": 3}


@pytest.mark.parametrize(
    "line", [b"[]", b"3", b"null", b'{"step": null}', b'{"step": 1e999}', b'{"step": true}', b'{"step": -1}',
             b'{"event": "step"}', b"\xff", b"[" * 100_000, b""]
)  # fmt: skip
def test_a_damaged_event_is_told_with_its_line(tmp_path: Path, line: bytes) -> None:
    run = begun(tmp_path)
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 2}\n')
    with pytest.raises(RunError, match=r"metrics\.jsonl, line 2: .* is not an event of a run .*; delete that line"):
        run.begin(SETTINGS, step=2)
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n' + line)  # what a kill cuts short is at the end
    run.begin(SETTINGS, step=2)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b'{"step": 1}\n'


@pytest.mark.parametrize("content", [b"", b'{"metrics": {', b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_report_is_no_complete_run(tmp_path: Path, content: bytes) -> None:
    begun(tmp_path)
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(RunError, match=r"report\.json: damaged \(.*\); delete it, and --resume writes it again"):
        RunFolder.open(tmp_path, SETTINGS, resume=True)


def test_changed_inputs_are_named(tmp_path: Path) -> None:
    inputs = {"labels": ["neg", "pos"], "training examples": {"number": 9, "texts": "a", "labels": "b"}}
    run = RunFolder.open(tmp_path, SETTINGS, resume=False, inputs=inputs)
    run.begin(SETTINGS, step=0)
    assert RunFolder.open(tmp_path, SETTINGS, resume=True, inputs=inputs).notes == ()
    for changed, words in (
        ({"labels": ["happy", "unhappy"]}, "the labels were neg, pos and are happy, unhappy"),
        ({"training examples": {"number": 8, "texts": "c", "labels": "d"}}, "there were 9 training examples and are 8"),
        ({"training examples": {"number": 9, "texts": "a", "labels": "d"}}, "the labels of the training examples cha"),
    ):
        with pytest.raises(RunError, match=f"the run's inputs have changed since it started: {words}.*; bring it bac"):
            RunFolder.open(tmp_path, SETTINGS, resume=True, inputs={**inputs, **changed})


def test_a_run_of_an_older_version_has_no_inputs_to_compare(tmp_path: Path) -> None:
    begun(tmp_path)
    run = RunFolder.open(tmp_path, SETTINGS, resume=True, inputs={"labels": ["neg", "pos"]})
    assert "did not record its data" in run.notes[0]


def test_more_epochs_say_what_to_do(tmp_path: Path) -> None:
    begun(tmp_path, epochs=3, steps=None)
    with pytest.raises(RunError) as caught:
        RunFolder.open(tmp_path, {**SETTINGS, "epochs": 5, "steps": None}, resume=True)
    assert str(caught.value) == (
        f"{tmp_path}: the run was started for 3 epochs, which its learning rates depend on, and cannot continue for "
        f"5 epochs; finish it with --epochs 3 --resume and train its model further with --model {tmp_path} and "
        "another --out, or start a new run with another --out"
    )
