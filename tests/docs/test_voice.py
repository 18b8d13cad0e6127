"""Our prose has no words that read like a translation, and the program that looks for them finds one."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def voice() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_voice", ROOT / "docs" / "voice.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_new_ones(voice: ModuleType) -> None:
    assert voice.findings() == []


def test_one_is_found_with_its_plain_word(voice: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "page.js").write_text("// What stands here.\n// A standard.\n")
    for name in voice.PAGES:
        (tmp_path / name).write_text("It is plain.\n")
    assert voice.findings(tmp_path) == ['src/page.js:1: "stands" (plain: is, are): // What stands here.']


def test_of_programs_elsewhere_only_the_prose_counts(voice: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text('"""Runs alone."""\n\nalone = f("shall")  # goes on\n')
    cells = [{"cell_type": kind, "source": ["It stands.\n"]} for kind in ("markdown", "code")]
    (tmp_path / "tests" / "b.ipynb").write_text(json.dumps({"cells": cells}))
    for name in voice.PAGES:
        (tmp_path / name).write_text("It is plain.\n")
    found = voice.findings(tmp_path)
    assert [line.partition(" (")[0] for line in found] == [
        'tests/b.ipynb:1: "stands"',
        'tests/test_a.py:1: "alone"',
        'tests/test_a.py:3: "goes on"',
    ]


def test_every_exception_is_used(voice: ModuleType) -> None:
    texts = [path.read_text(encoding="utf-8") for name in voice.FOLDERS for path in (ROOT / name).rglob("*.*")
             if path.suffix in voice.ENDINGS and path.name != "voice.py"]  # fmt: skip
    for part in voice.EXCEPTIONS:
        assert any(part in text for text in texts), part
