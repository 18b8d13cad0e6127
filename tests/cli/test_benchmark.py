"""The command around the programs: which file, what is passed on, and one sentence where there is no source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from albertkit.cli.benchmark import PROGRAMS, command, lines_of, program_file
from albertkit.errors import AlbertkitError, UsageError

REPOSITORY = Path(__file__).resolve().parents[2]

PRINTS = """
import json, sys
row = {"case": "a", "precision": None, "ours": 2.0, "peer": 1.0, "peer_name": "p", "peer_mode": "as-is",
       "peer_precision": None, "unit": "s", "ratio": 0.5, "max_difference": None}
machine = {"processor": "chip", "threads": 1, "cores": 2, "load_before": 0.5}
json.dump({"name": "n", "machine": machine, "peaks": {}, "cases": [row], "given": sys.argv[1:]}, sys.stdout)
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that print what they are given."""
    for file in PROGRAMS.values():
        (tmp_path / file).write_text(PRINTS)
    found = program_file
    monkeypatch.setattr("albertkit.cli.benchmark.program_file", lambda name: found(name, folder=tmp_path))
    return tmp_path


def test_every_program_is_there() -> None:
    for name, file in PROGRAMS.items():
        assert program_file(name, folder=REPOSITORY / "benchmarks").name == file


@pytest.mark.usefixtures("programs")
def test_options_are_passed_on() -> None:
    words = ["finetune", "--quick", "--data-dir", "d", "--json", "--rounds", "3"]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0
    assert '"given": ["--quick", "--rounds", "3", "--data-dir", "d"]' in done.stdout
    done = CliRunner().invoke(command, ["load", "--data-dir", "d", "--json"])  # which reads no data
    assert '"given": []' in done.stdout


@pytest.mark.usefixtures("programs")
def test_people_get_a_line_a_case() -> None:
    done = CliRunner().invoke(command, ["load"])
    assert done.stdout.splitlines() == ["chip, 1 of 2 cores, load 0.5", "a: 2 s; p, as-is: 1; ratio 0.50"]


def test_a_failure_keeps_its_exit_code(programs: Path) -> None:
    (programs / "load.py").write_text("import sys; print('error: no', file=sys.stderr); sys.exit(2)")
    assert CliRunner().invoke(command, ["load"]).exit_code == 2


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='there is no benchmark "lod"; did you mean "load"'):
        program_file("lod")
    with pytest.raises(AlbertkitError, match=r"no part of the installed package: get albertkit's source"):
        program_file("load", folder=tmp_path)


def test_help_needs_no_torch() -> None:
    program = "import sys; sys.argv = ['albertkit', 'benchmark', '--help']\nfrom albertkit.cli import main\n"
    program += "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "100 epochs on a frozen encoder" in done.stdout


def test_lines_name_the_precision() -> None:
    case = {"case": "a", "precision": "bf16", "ours": 1234.0, "peer": 1.0, "peer_name": "p", "peer_mode": "best"}
    case |= {"peer_precision": "fp32", "unit": "tokens/s", "ratio": 3.0}
    machine = {"processor": "chip", "threads": 1, "cores": 2, "load_before": None}
    assert lines_of({"machine": machine, "cases": [case]})[1] == (
        "a, bf16: 1,234 tokens/s; p, fp32, best: 1; ratio 3.00"
    )
