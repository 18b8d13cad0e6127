"""Run a command as the console script does, in this process."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import tiny_folder

from albertkit.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document that standard output holds."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[Any]:
        """The JSON documents of standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    def failure(self) -> str:
        """The one sentence of a command that failed: exit status 1, nothing on standard output."""
        assert (self.status, self.out) == (1, ""), self
        sentences = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(sentences) == 1, self.err
        assert "Traceback" not in self.err
        return sentences[0]


class Runner:
    """Calls `main` and catches what it prints and how it exits."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capfd = capfd
        self.monkeypatch = monkeypatch

    def __call__(self, *arguments: str | Path, given: str = "") -> Outcome:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        self.capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = self.capfd.readouterr()
        return Outcome(int(exit_.value.code or 0), out, err)


ONE_THREAD = ("--device", "cpu", "--precision", "fp32", "--threads", "1")

SHORT = (
    "--model",
    tiny_folder(),
    "--steps",
    "3",
    "--batch-size",
    "8",
    "--max-length",
    "32",
    "--no-baseline",
    *ONE_THREAD,
)
"""Options of a finetune run of three steps on the tiny network."""
