"""The lock of a folder: one writer, named to the second; nothing is left, and a killed holder locks nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from albertkit.errors import RunError
from albertkit.io.files import WriteError
from albertkit.io.locks import is_vacant, locked

HOLD = """
import sys, time
from albertkit.io.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock of a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_holds_it_until_the_first_is_killed(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    run = tmp_path / "run"
    try:
        words = rf"run: another albertkit \(process {holder.pid} on {socket.gethostname()}\) writes there; wait for it"
        for _ in range(2):
            with pytest.raises(RunError, match=words), locked(run):
                pass
        (run / ".lock-holder").write_text("[" * 100_000)
        with pytest.raises(RunError, match=r"run: another albertkit writes there; .* give another --output"):  # noqa: SIM117
            with locked(run, option="--output"):
                pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert is_vacant(run, first_file="config.json")
    with locked(run):
        assert str(os.getpid()) in (run / ".lock-holder").read_text()
    assert list(run.iterdir()) == []


def test_a_folder_that_stays_empty_is_removed_again(tmp_path: Path) -> None:
    with locked(tmp_path / "runs" / "a"):
        assert (tmp_path / "runs" / "a" / ".lock").is_file()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "runs").mkdir()
    with locked(tmp_path / "runs" / "a"):
        (tmp_path / "runs" / "a" / "config.json").write_text("{}")
    assert [path.name for path in (tmp_path / "runs" / "a").iterdir()] == ["config.json"]


def test_an_error_in_the_block_releases(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "run"):
        raise KeyError
    with locked(tmp_path / "run"):
        pass


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("thesis")
    for path in (tmp_path / "run", tmp_path / "run" / "deeper"):
        with (
            pytest.raises(WriteError, match=r"cannot be written \(.*run is a file, not a folder\); give another --out"),
            locked(path),
        ):
            pass
    assert not is_vacant(tmp_path / "run", first_file="config.json")
    assert (tmp_path / "run").read_text() == "thesis"


def test_many_that_come_and_leave_never_write_at_once(tmp_path: Path) -> None:
    program = """
import os, sys, time
from pathlib import Path
from albertkit.errors import RunError
from albertkit.io.locks import locked
run, held, end = Path(sys.argv[1]), 0, time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        with locked(run):
            file = os.open(run / "one", os.O_CREAT | os.O_EXCL)  # fails where another one is inside
            os.close(file)
            (run / "one").unlink()
            held += 1
    except RunError:
        pass
print(held)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "run")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(int(held) for held in said) > 10
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
