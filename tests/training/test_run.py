"""A run yields the steps of any loop: counted and logged before, saved after, ended by its state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny import execution
from torch import nn

from albertkit.training.run import Run
from albertkit.training.run_folder import BEST, InMemory, RunFolder
from albertkit.training.state import State


class Counter(State[int]):
    """A state that ends after some steps."""

    most = 99

    @property
    def stopped(self) -> bool:
        """Whether there were enough."""
        return self.step >= self.most


def state(most: int = 99) -> Counter:
    network = nn.Linear(2, 1)
    found = Counter(network, torch.optim.AdamW(network.parameters()))
    found.most = most
    return found


def follow(run: Run, counted: Counter, *, save_seconds: float = 1e9) -> list[int]:
    steps = iter(range(counted.step + 1, 6))

    def event(step: int) -> dict[str, Any]:
        return {"event": "step", "step": step}

    found = run.follow(steps, counted, what="counting", total=5, save_seconds=save_seconds, event=event, info=str)
    return list(found)


def test_steps_are_counted_logged_and_the_last_one_saved(tmp_path: Path) -> None:
    run = Run(execution(), RunFolder(tmp_path))
    run.folder.begin({}, step=0)
    assert follow(run, state()) == [1, 2, 3, 4, 5]
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]
    again = state()
    assert again.restore(run.folder)
    assert again.step == 5
    assert follow(run, again) == []


def test_a_state_that_stopped_ends_the_loop() -> None:
    assert follow(Run(execution()), state(most=3)) == [1, 2, 3]


@pytest.mark.parametrize(("save_seconds", "saves"), [(0.0, 5), (1e9, 1)])
def test_checkpoints_by_time(save_seconds: float, saves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(RunFolder, "save_checkpoint", lambda _, saved, **__: written.append(saved["step"]))
    run = Run(execution(), RunFolder(tmp_path))
    run.folder.begin({}, step=0)
    follow(run, state(), save_seconds=save_seconds)
    assert len(written) == saves
    assert written[-1] == 5


def test_in_memory_the_best_weights_stay_as_they_were() -> None:
    folder, weights = InMemory(), torch.ones(2)
    folder.begin({}, step=0)
    folder.log({"step": 1})
    folder.save_checkpoint({"weights": {"w": weights}})
    assert folder.load_checkpoint() is None
    folder.save_checkpoint({"weights": {"w": weights}}, name=BEST)
    weights.zero_()
    best = folder.load_checkpoint(name=BEST)
    assert best is not None
    assert best["weights"]["w"].tolist() == [1, 1]
