"""The command line as a program: exit codes, what is flushed, what is done at the end, what it does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ALBERTKIT = [sys.executable, "-m", "albertkit"]


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words,code", [(["--version"], 0), (["nonsense"], 2), (["info", "no-such-model"], 2)])
def test_the_exit_code_is_the_command_s(words: list[str], code: int) -> None:
    done = subprocess.run([*ALBERTKIT, *words], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert (done.stdout if code == 0 else done.stderr).strip()


def test_what_is_registered_for_the_end_is_done_and_output_is_flushed() -> None:
    done = run(
        "import atexit, sys; from albertkit.cli import script\n"
        "atexit.register(lambda: print('at the end')); print('begun', end=' ')\n"
        "sys.argv = ['albertkit', '--version']; script()"
    )
    assert done.returncode == 0
    assert done.stdout.startswith("begun albertkit ")
    assert done.stdout.endswith("at the end\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_standard_output_is_told() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*ALBERTKIT, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr


def test_a_prediction_does_not_bring_torch_s_compiler() -> None:
    done = run(
        "import sys; import albertkit\n"
        "albertkit.load('albert-nano').embed('a small wonder of a film')\n"
        "print('torch' in sys.modules, 'torch._dynamo' in sys.modules, 'sympy' in sys.modules)"
    )
    assert done.stdout.split() == ["True", "False", "False"], done.stderr
