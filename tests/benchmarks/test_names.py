"""A program's folder comes first where Python looks for modules: no name there may hide a library."""

from __future__ import annotations

import importlib.util
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_no_program_hides_a_library() -> None:
    for program in BENCHMARKS.glob("*.py"):
        assert importlib.util.find_spec(program.stem) is None, program.name
