"""What is given away, as built: the wheel works with no checkout in sight, and the sdist builds the same wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import albertkit

ROOT = Path(__file__).resolve().parents[1]
SLOW = pytest.mark.slow


def build(source: Path, out: Path, *kinds: str) -> None:
    """Build into `out`, with the build tools that are installed here."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(out), str(source)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr + found.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree, so that all builds are of the same files."""
    copy = tmp_path_factory.mktemp("tree") / "albertkit"
    without = (".*cache", ".git", ".venv", ".hypothesis", "__pycache__", "build", "dist", "runs", "site")
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*without))
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree; the sdist is next to it."""
    out = tmp_path_factory.mktemp("dist")
    build(tree, out, "--wheel", "--sdist")
    (found,) = out.glob("*.whl")
    return found


def same(first: Path, second: Path) -> bool:
    """Whether two wheels are the same, byte by byte; if not, the files that differ are told."""

    def content(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    left, right = content(first), content(second)
    differ = sorted(name for name in {*left, *right} if left.get(name) != right.get(name))
    assert not differ
    return first.read_bytes() == second.read_bytes()


@pytest.fixture(scope="module")
def albertkit_bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of a fresh environment: the wheel is its own, the libraries are this environment's."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    site = Path(_output([str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).strip())
    # A line of a .pth is added to the path, but the .pth of an editable install in that folder is not followed.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    _output([*pip, "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(wheel)])
    return home / "bin" / "albertkit"


def _output(command: Sequence[str], cwd: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_types_are_announced() -> None:
    assert (ROOT / "src" / "albertkit" / "py.typed").is_file()


@SLOW
def test_the_wheel_holds_what_it_should(tree: Path, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert package == {
        path.relative_to(tree / "src").as_posix() for path in (tree / "src").rglob("*") if path.is_file()
    }
    assert {"albertkit/py.typed", "albertkit/assets/30k-clean.model", "albertkit/assets/polarity.tsv.gz"} <= package
    licences = {name.rsplit("/", 1)[-1] for name in names if ".dist-info/licenses/" in name}
    assert {"LICENSE", "30k-clean.LICENSE.txt", "polarity.LICENSE.txt"} <= licences


@SLOW
def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    (sdist,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    for name in ("mkdocs.yml", "Dockerfile", "compose.yaml", "docs/index.md", "tests/test_package.py", "Makefile"):
        assert (unpacked / name).is_file(), name
    build(unpacked, tmp_path / "out", "--wheel")
    assert same(tmp_path / "out" / wheel.name, wheel)


@SLOW
def test_what_the_container_copies_builds_the_same_wheel(tree: Path, wheel: Path, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(tree / name, tmp_path / name)
    shutil.copytree(tree / "src", tmp_path / "src")
    build(tmp_path, tmp_path / "out", "--wheel")
    assert same(tmp_path / "out" / wheel.name, wheel)


@SLOW
def test_the_installed_command_works_without_a_checkout(albertkit_bin: Path, tmp_path: Path) -> None:
    python = str(albertkit_bin.with_name("python"))
    assert _output([str(albertkit_bin), "--version"], tmp_path) == f"albertkit {albertkit.__version__}\n"
    place = _output([python, "-c", "import albertkit; print(albertkit.__file__)"], tmp_path)
    assert Path(place.strip()).is_relative_to(albertkit_bin.parents[1])
    threads = ("--threads", "1", "--device", "cpu", "--precision", "fp32")
    filled = json.loads(
        _output([str(albertkit_bin), "fill", "albert-nano", "a cup of [MASK] .", "--json", *threads], tmp_path)
    )
    assert len(filled[0]["candidates"]) == 5
    few = ("--limit", "8", "--steps", "1", "--batch-size", "4", "--max-length", "16", "--no-baseline")
    _output([str(albertkit_bin), "finetune", "--data", "polarity", "--out", "run", *few, *threads], tmp_path)
    row = json.loads(_output([str(albertkit_bin), "predict", "run", "a small wonder", "--json", *threads], tmp_path))
    assert set(row["probabilities"]) == {"negative", "positive"}
