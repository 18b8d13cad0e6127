"""Run a page of docs/guide on small data: its files are written, its commands and its Python run, in order."""

from __future__ import annotations

import json
import re
import shlex
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import ONE_THREAD, Outcome, Runner

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
"""```sh: lines that begin with `albertkit`; ```json: what the last of them printed; ```python: run in one namespace;
```csv NAME (or any kind): a file."""

TO_THE_END: Mapping[str, Sequence[str]] = {"finetune": ("--no-baseline",)}
"""Instead of `SMALL`, for pages that show what a trained model answers."""

SMALL: Mapping[str, Sequence[str]] = {
    "finetune": ("--limit", "12", "--steps", "2", "--batch-size", "4", "--max-length", "48", "--no-baseline"),
    "evaluate": (),
    "predict": (),
    "embed": (),
}
"""What every story's commands get as well: a few examples and steps, one thread."""


def assert_printed(found: Any, shown: Any, *, guessed: Collection[str] = ()) -> None:
    """Hold what a command printed to what the page shows: lists may be cut, other processors round otherwise.

    Args:
        found: what it printed.
        shown: what the page shows.
        guessed: keys whose values only have the same type, since the model learned nothing.
    """
    if isinstance(shown, dict):
        assert list(found) == list(shown)
        for name, value in shown.items():
            if name in guessed:
                assert type(found[name]) is type(value)
            else:
                assert_printed(found[name], value, guessed=guessed)
    elif isinstance(shown, list):
        for one, other in zip(found, shown, strict=len(found) == len(shown)):
            assert_printed(one, other, guessed=guessed)
    elif isinstance(shown, float):
        assert found == pytest.approx(shown, abs=0.2, rel=0.5)
    else:
        assert found == shown


def run_guide(
    name: str,
    *,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    small: Mapping[str, Sequence[str]] | None = None,
    section: str | None = None,
    guessed: Collection[str] = (),
) -> list[Outcome]:
    """Run the page and return what each command left behind; a command that fails is an assertion error.

    Args:
        name: such as `embeddings.md`.
        folder: where it runs; data that the page takes for granted must be there.
        capfd: the test's fixture.
        monkeypatch: the test's fixture.
        small: options added to a command of that name, instead of `SMALL`'s.
        section: heading of the only section that is run; the whole page when left out.
        guessed: see `assert_printed`.
    """
    monkeypatch.chdir(folder)
    runner = Runner(capfd, monkeypatch)
    extra = {**SMALL, **(small or {})}
    namespace: dict[str, Any] = {}
    outcomes: list[Outcome] = []
    page = (GUIDE / name).read_text(encoding="utf-8")
    if section is not None:
        page = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    for kind, target, body in FENCE.findall(page):
        if target:
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
        elif kind == "sh":
            for line in body.replace("\\\n", " ").splitlines():
                if not line.startswith("albertkit "):
                    continue
                command, *arguments = shlex.split(line, comments=True)[1:]
                added = (*extra[command], *ONE_THREAD) if command in extra else ()
                outcome = runner(command, *arguments, *added)
                assert outcome.status == 0, (line, outcome)
                outcomes.append(outcome)
        elif kind == "json":
            assert_printed(json.loads(outcomes[-1].out.splitlines()[0]), json.loads(body), guessed=guessed)
        elif kind == "python":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                exec(compile(body, name, "exec"), namespace)
    assert outcomes, f"{name} holds no command"
    return outcomes
