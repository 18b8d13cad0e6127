"""Who may import whom: the table of docs/design.md, checked on every import, also those inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "albertkit"

BASE = {
    "archive",
    "arrays",
    "batch",
    "config",
    "consent",
    "decoding",
    "dense",
    "device",
    "download",
    "errors",
    "files",
    "known_models",
    "label_names",
    "locks",
    "manifest",
    "processor",
    "progress",
    "protobuf",
    "registry",
    "tar",
    "transfer",
    "vectors",
    "web",
    "worker_pool",
}
MAY_IMPORT: dict[str, set[str]] = {
    "text": set(),
    "model": set(),
    "checkpoints": set(),
    "data": {"text"},
    "datasets": {"data"},
    "tasks": {"text", "data", "model"},
    "model_files": {"text", "checkpoints"},
    "conversion": {"text", "checkpoints", "model_files"},
    "loaded": {"text", "tasks"},
    "pretrained": {"text", "model", "tasks", "checkpoints", "model_files", "loaded"},
    "exported": {"text", "tasks", "loaded", "runtimes"},
    "runtimes": {"data"},
    "predictor": {"text", "data", "tasks", "loaded", "pretrained", "exported", "runtimes"},
    "exporting": {"tasks", "loaded", "pretrained", "exported", "runtimes", "predictor"},
    "pretraining_predictor": {"text", "pretrained", "runtimes"},
    "evaluation": {"data", "datasets", "tasks", "predictor"},
    "training": {
        "text",
        "data",
        "datasets",
        "model",
        "tasks",
        "checkpoints",
        "model_files",
        "pretrained",
        "evaluation",
        "runtimes",
        "predictor",
    },
    "explaining": {"text", "data", "tasks", "predictor"},
    "estimators": {
        "data",
        "datasets",
        "tasks",
        "loaded",
        "model_files",
        "pretrained",
        "evaluation",
        "training",
        "predictor",
    },
    "scaling": {"datasets", "tasks", "model_files", "predictor"},
    "serving": {"data", "tasks", "loaded", "predictor", "pretraining_predictor", "explaining"},
}
BESIDES = {
    "runtimes/pytorch.py": {"model", "tasks", "pretrained"},
    "runtimes/early_exit.py": {"model", "tasks"},
}
"""Files that may import more than their layer."""


def layer_of(module: str) -> str | None:
    """albertkit.text.tokenizer -> text; the package itself (its version) -> None."""
    parts = module.split(".")
    if parts[0] != "albertkit" or len(parts) == 1:
        return None
    return "base" if parts[1] in BASE else parts[1]


def imports_of(file: Path) -> Iterator[tuple[int, str, bool]]:
    """Line, module of ours, whether it stands inside a function."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            assert node.module is not None
            modules = [node.module]
            if node.module == "albertkit":  # from albertkit import text
                modules = [f"albertkit.{alias.name}" for alias in node.names if not alias.name.startswith("__")]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            if module == "albertkit" or module.startswith("albertkit."):
                yield node.lineno, module, id(node) in inside


def breaches(source: Path) -> list[str]:
    found = []
    for file in sorted(source.rglob("*.py")):
        path = file.relative_to(source)
        if path.parts[0] in ("__init__.py", "__main__.py"):
            continue  # the public names, loaded when used; the command
        own = layer_of(f"albertkit.{path.with_suffix('').parts[0]}")
        for line, module, inside in imports_of(file):
            other = layer_of(module)
            if other is None or other in ("base", own):
                continue
            if own == "cli":
                allowed = inside
            elif own == "base":
                allowed = False
            else:
                assert own in MAY_IMPORT, f"{path}: a new layer; give it a row in docs/design.md and here"
                allowed = other in MAY_IMPORT[own] | BESIDES.get(path.as_posix(), set())
            if not allowed:
                found.append(f"{path}:{line}: {own} may not import {module}" + " at the top" * (own == "cli"))
    return found


def test_the_layers_hold() -> None:
    assert breaches(SOURCE) == []


def test_a_breach_is_named_with_file_and_line(tmp_path: Path) -> None:
    for name, content in {
        "text/a.py": "import albertkit.model.layer\n",
        "model/b.py": "def f():\n    from albertkit import tasks\n",
        "files.py": "from albertkit.text import tokenizer\n",
        "cli/c.py": "from albertkit.errors import UsageError\nfrom albertkit.predictor import load\n",
        "runtimes/pytorch.py": "from albertkit.tasks.network import Network\n",
        "runtimes/onnx.py": "from albertkit.tasks.network import Network\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert breaches(tmp_path) == [
        "cli/c.py:2: cli may not import albertkit.predictor at the top",
        "files.py:1: base may not import albertkit.text",
        "model/b.py:2: model may not import albertkit.tasks",
        "runtimes/onnx.py:1: runtimes may not import albertkit.tasks.network",
        "text/a.py:1: text may not import albertkit.model.layer",
    ]


BLOCK = """
import importlib, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is blocked in this test")

sys.meta_path.insert(0, NoTorch())
"""


def without_torch(program: str, *arguments: str, given: str = "") -> str:
    """Run a program in which `import torch` fails; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCK + program, *arguments], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_text_data_and_datasets_need_no_torch() -> None:
    modules = [
        ".".join(("albertkit", *file.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
        for layer in ("text", "data", "datasets")
        for file in sorted((SOURCE / layer).rglob("*.py"))
    ]
    assert len(modules) > 10
    program = """
for name in sys.argv[1:]:
    importlib.import_module(name)
import albertkit
from albertkit.datasets import DATASETS
from albertkit.tasks import TASKS
for registry in (DATASETS, TASKS):
    for name in registry:
        registry[name]
data = albertkit.load_dataset("polarity", split="dev")
batch = albertkit.datasets  # the module, which load_dataset has brought in
from albertkit.text.tokenizer import Tokenizer
print(len(data), Tokenizer.official()([data[0].text]).tokens > 3)
"""
    assert without_torch(program, *modules).split()[1] == "True"


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (["--help"], "", "finetune"),
        (["finetune", "--help"], "", "--learning-rate"),
        (["models"], "", "albert-xxlarge-v2"),
        (["tokenize"], "Unfriendly, (2)!\n", "un friendly"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_these_commands_need_no_torch(arguments: list[str], given: str, words: str) -> None:
    program = "sys.argv[0] = 'albertkit'; from albertkit.cli import main; main()"
    assert words in without_torch(program, *arguments, given=given)
