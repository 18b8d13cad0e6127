"""What the programs share, without a program and without a clock that matters."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from albertkit.errors import DataError

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "harness.py"


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_harness", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rounds_go_forth_and_back(harness: ModuleType) -> None:
    order: list[str] = []
    contenders = {name: (lambda name=name: order.append(name) or len(order)) for name in "ab"}
    seconds, given = harness.in_turns(contenders, rounds=2, warm_up=1)
    assert "".join(order) == "abbaab"
    assert {name: len(found) for name, found in seconds.items()} == {"a": 2, "b": 2}
    assert given == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_a_ratio_above_one_is_in_our_favour(harness: ModuleType) -> None:
    names = {"peer_name": "p", "peer_mode": "best"}
    assert harness.row("c", ours=2.0, peer=6.0, unit="s", **names)["ratio"] == 3
    assert harness.row("c", ours=6.0, peer=2.0, unit="tokens/s", more=1, **names)["more"] == 1
    assert harness.row("c", ours=6.0, peer=2.0, unit="tokens/s", **names)["ratio"] == 3


def test_spread(harness: ModuleType) -> None:
    assert harness.spread([3.0, 1.0, 2.5]) == {"median": 2.5, "lowest": 1.0, "highest": 3.0}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_that_is_given_back_counts(harness: ModuleType) -> None:
    with harness.peak_memory() as used:
        held = bytearray(b"x" * (64 << 20))
        del held
    if not used:
        pytest.skip("this system does not reset the peak")
    assert 60 < used["megabytes"] < 200


def test_numbers_below_one_are_refused(harness: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    parser = harness.options_of("One line.\n\nMore.", threads=2, quick="less")
    assert harness.parsed(parser, []).threads == 2
    with pytest.raises(SystemExit):
        harness.parsed(parser, ["--rounds", "0"])
    assert "--rounds is 0; it must be 1 or more" in capsys.readouterr().err


def test_reports_errors_and_missing_peers(
    harness: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = SimpleNamespace(json_out=tmp_path / "out.json")
    assert harness.run_program(lambda _: {"name": "n"}, options) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(options.json_out.read_text()) == {"name": "n"}

    def without_data(_: object) -> None:
        raise DataError("no data there")

    def without_peer(_: object) -> None:
        raise ModuleNotFoundError("No module named 'peer'", name="peer")

    assert harness.run_program(without_data, options) == 1
    assert capsys.readouterr().err == "error: no data there\n"
    assert harness.run_program(without_peer, options) == 1
    assert "compares with peer, which is not installed: make setup" in capsys.readouterr().err
