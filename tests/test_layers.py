"""Which room may import which, checked on every import, also those inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "albertkit"

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "config": {"errors"},
    "registry": {"errors"},
    "batching": {"errors"},
    "hardware": {"errors"},
    "io": {"errors"},
    "hub": {"errors", "config", "io", "checkpoints"},
    "text": {"errors", "batching", "io"},
    "encoder": {"errors", "config", "batching", "hardware"},
    "checkpoints": {"errors", "config", "registry", "io"},
    "data": {"errors", "batching", "hardware", "io", "text"},
    "datasets": {"errors", "registry", "io", "hub", "data"},
    "graphs": {"errors"},
    "scoring": {"errors", "registry"},
    "tasks": {
        "errors",
        "config",
        "registry",
        "batching",
        "io",
        "text",
        "encoder",
        "checkpoints",
        "data",
        "datasets",
        "graphs",
        "scoring",
    },
    "models": {"errors", "config", "io", "hub", "text", "encoder", "checkpoints", "tasks"},
    "inference": {
        "errors",
        "config",
        "registry",
        "batching",
        "hardware",
        "io",
        "encoder",
        "checkpoints",
        "data",
        "tasks",
        "models",
    },
    "exporting": {
        "errors",
        "config",
        "registry",
        "batching",
        "hardware",
        "io",
        "hub",
        "text",
        "encoder",
        "checkpoints",
        "graphs",
        "tasks",
        "models",
        "inference",
    },
    "auditing": {"errors", "io", "data", "datasets", "scoring", "inference"},
    "explaining": {"errors", "batching", "io", "text", "data", "tasks", "inference"},
    "evaluation": {"errors", "io", "data", "datasets", "scoring", "tasks", "inference"},
    "training": {
        "errors",
        "config",
        "registry",
        "batching",
        "hardware",
        "io",
        "hub",
        "text",
        "encoder",
        "checkpoints",
        "data",
        "datasets",
        "tasks",
        "models",
        "inference",
        "scoring",
        "evaluation",
    },
    "estimators": {
        "errors",
        "checkpoints",
        "hardware",
        "io",
        "data",
        "datasets",
        "tasks",
        "models",
        "inference",
        "training",
    },
    "scaling": {"errors", "hardware", "io", "data", "datasets", "tasks", "models", "inference"},
    "serving": {"errors", "config", "registry", "batching", "io", "tasks", "models", "inference", "explaining"},
}
"""Room -> rooms that it may import. `cli` may import anything inside a command's function."""
QUICK = {"errors", "config", "registry"}
"""What `cli` may import at the top of a file."""
MOST_FLOORS = 12


def room_of(module: str) -> str | None:
    """albertkit.text.tokenizer -> text; the package itself (its version) -> None."""
    parts = module.split(".")
    return parts[1] if parts[0] == "albertkit" and len(parts) > 1 else None


def imports_of(file: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield line, module of ours, and whether the import is inside a function."""
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


def imports_between_rooms(source: Path) -> Iterator[tuple[str, int, str, str, str, bool]]:
    """Yield file, line, room, module, the module's room, and whether the import is inside a function."""
    for file in sorted(source.rglob("*.py")):
        path = file.relative_to(source)
        if path.parts[0] in ("__init__.py", "__main__.py"):
            continue  # the public names, loaded when used; the command
        own = path.with_suffix("").parts[0]
        for line, module, inside in imports_of(file):
            other = room_of(module)
            if other is not None and other != own:
                yield path.as_posix(), line, own, module, other, inside


def breaches(source: Path) -> list[str]:
    found = []
    for path, line, own, module, other, inside in imports_between_rooms(source):
        if own == "cli":
            allowed = inside or other in QUICK
        else:
            assert own in MAY_IMPORT, f"{path}: a new room; give it a row in docs/design.md and here"
            allowed = other in MAY_IMPORT[own]
        if not allowed:
            found.append(f"{path}:{line}: {own} may not import {module}" + " at the top" * (own == "cli"))
    return found


def floor_of(room: str) -> int:
    """Return 1 for a room that imports no other, else one more than the highest room that it may import."""
    return 1 + max((floor_of(other) for other in MAY_IMPORT[room]), default=0)


def test_every_import_is_allowed() -> None:
    assert breaches(SOURCE) == []


def test_every_permission_is_used() -> None:
    used = {(own, other) for _, _, own, _, other, _ in imports_between_rooms(SOURCE)}
    assert [(own, other) for own in MAY_IMPORT for other in sorted(MAY_IMPORT[own]) if (own, other) not in used] == []


def test_no_room_has_a_circle_and_the_house_is_not_too_high() -> None:
    assert max(map(floor_of, MAY_IMPORT)) + 1 <= MOST_FLOORS  # `cli` is on top; a circle would never end


def test_the_root_holds_only_what_every_room_may_need() -> None:
    root = {file.name for file in SOURCE.glob("*.py")}
    assert root == {"__init__.py", "__main__.py", "config.py", "errors.py", "registry.py"}


def loops(source: Path) -> list[list[str]]:
    """Return the groups of files that import each other in a loop; imports for the type checker do not count."""
    files = {file.relative_to(source).as_posix(): file for file in sorted(source.rglob("*.py"))}
    graph = {name: {each for each in _imported(file, files) if each != name} for name, file in files.items()}
    reached = {name: _reached(graph, name) for name in graph}
    groups = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in graph}
    return sorted(list(group) for group in groups if group)


def _imported(file: Path, files: Collection[str]) -> Iterator[str]:
    """Yield the files that a file imports, at its top or in a function."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if not name.startswith("albertkit."):
                continue  # also the datasets library, which is called like a room
            path = name.removeprefix("albertkit.").replace(".", "/")
            yield from (each for each in (f"{path}.py", f"{path}/__init__.py") if each in files)


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return the files that a file leads to in one or more imports."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_no_files_import_each_other_in_a_loop() -> None:
    assert loops(SOURCE) == []


def test_loops_are_found_through_several_files_and_functions(tmp_path: Path) -> None:
    for name, content in {
        "text/a.py": "from albertkit.text import b\n",
        "text/b.py": "def f():\n    import albertkit.io.c\n",
        "io/c.py": "from albertkit.text.a import name\n",
        "io/d.py": "from albertkit.io.e import name\n",
        "io/e.py": "if TYPE_CHECKING:\n    from albertkit.io.d import name\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert loops(tmp_path) == [["io/c.py", "text/a.py", "text/b.py"]]


def test_a_breach_is_named_with_file_and_line(tmp_path: Path) -> None:
    for name, content in {
        "text/a.py": "import albertkit.encoder.layer\n",
        "encoder/b.py": "def f():\n    from albertkit import tasks\n",
        "errors.py": "from albertkit.text import tokenizer\n",
        "cli/c.py": "from albertkit.errors import UsageError\nfrom albertkit.inference.predictor import load\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert breaches(tmp_path) == [
        "cli/c.py:2: cli may not import albertkit.inference.predictor at the top",
        "encoder/b.py:2: encoder may not import albertkit.tasks",
        "errors.py:1: errors may not import albertkit.text",
        "text/a.py:1: text may not import albertkit.encoder.layer",
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
