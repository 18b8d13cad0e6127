"""Documentation is current: the generated page, and the README's Python."""

from __future__ import annotations

import importlib.util
import json
import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_commands_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.page(), "run make docs"


def test_readme_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the random start is announced as a warning
            exec(
                compile(
                    block.replace('out="runs/polarity"', 'out="runs/polarity", limit=40, epochs=1'), "README.md", "exec"
                ),
                {},
            )


INSIDE = re.compile(r"^\s*(?:from|import) (albertkit\.[a-z_.]+)", re.MULTILINE)


def test_code_imports_from_the_root_only() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    blocks = {
        page.name: re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL) for page in pages
    }
    for notebook in (ROOT / "examples").glob("*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        blocks[notebook.name] = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    found = {(name, module) for name, code in blocks.items() for block in code for module in INSIDE.findall(block)}
    assert found == set()


def test_readme_commands_exist() -> None:
    from albertkit.cli import COMMANDS

    named = set(re.findall(r"albertkit ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named - set(COMMANDS) <= set(), f"README names commands that are not there: {named - set(COMMANDS)}"
