"""Fixtures of the tests on commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.running import Runner
from tests.tiny import keyword_rows, settings, write_csv


@pytest.fixture
def albertkit(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Function that runs a command: albertkit("models", "--json")."""
    return Runner(capfd, monkeypatch)


@pytest.fixture(scope="session")
def keywords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 120 texts of two classes."""
    return write_csv(tmp_path_factory.mktemp("cli") / "keywords.csv", keyword_rows(120))


@pytest.fixture(scope="session")
def run_folder(keywords: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on `keywords`."""
    from albertkit.training.finetune import finetune

    out = tmp_path_factory.mktemp("runs") / "keywords"
    finetune(settings(keywords, out, epochs=12, learning_rate=2e-2, pooling="pooler"))
    return out
