"""The fit: it is `albertkit.finetune`, and which rows it holds out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.estimators.small import classifier, rows
from tests.tiny import settings, write_csv

import albertkit
from albertkit.errors import UsageError
from albertkit.estimators.fitting import divide, on_threads
from albertkit.training.run_folder import RunFolder

# Most fits here are too short to learn anything, and say so.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("frozen", [False, True])
def test_it_is_the_librarys_own_training(tmp_path: Path, frozen: bool) -> None:
    texts, labels = rows(40)
    fitted = classifier(epochs=2, frozen=frozen, validation_fraction=0).fit(texts, labels)
    data = tmp_path / "data"
    data.mkdir()
    for split, end in (("train", 40), ("dev", 16)):
        write_csv(data / f"{split}.csv", list(zip(texts, labels, strict=True))[:end])
    run = settings(
        data, tmp_path / "run", epochs=2, learning_rate=1e-2, freeze_encoder=frozen, pooling="mean", precision="auto"
    )
    albertkit.finetune(run)
    last = RunFolder(tmp_path / "run").load_checkpoint()
    assert last is not None
    network = fitted.predictor_.model.network
    own = (network.heads["classifier"] if frozen else network).state_dict()
    assert own.keys() == last["weights"].keys()
    assert all(torch.equal(own[name], last["weights"][name]) for name in own)
    assert [sorted(epoch) for epoch in fitted.history_] == [["train"]] * 2
    assert not any("dev" in note or "calibrated" in note for note in fitted.notes_)  # nothing was held out


def test_rows_held_out() -> None:
    targets = np.array([0] * 90 + [1] * 9 + [2])
    kept, held = divide(targets, fraction=0.1, seed=5, classes=True)
    assert (len(kept), len(held)) == (90, 10)
    assert sorted([*kept, *held]) == list(range(100))
    assert 99 in kept  # the only one of its class
    assert divide(targets, fraction=0.1, seed=5, classes=True)[1].tolist() == held.tolist()
    assert divide(targets, fraction=0.1, seed=6, classes=True)[1].tolist() != held.tolist()
    assert len(divide(targets, fraction=0.99, seed=5, classes=True)[0]) == 3
    assert len(divide(targets[:4], fraction=0.1, seed=5, classes=True)[1]) == 0
    assert len(divide(np.array([1.5, 2.5]), fraction=0.9, seed=5, classes=False)[0]) == 1


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5])
def test_shares_that_cannot_be(fraction: float) -> None:
    texts, labels = rows(8)
    with pytest.raises(UsageError, match="it is a share of the rows, from 0 to below 1"):
        classifier(validation_fraction=fraction).fit(texts, labels)


def test_calibrated_on_rows_held_out() -> None:
    texts, labels = rows(220)
    flipped = ["good" if number % 7 == 0 else label for number, label in enumerate(labels)]
    fitted = classifier(epochs=3, validation_fraction=0.5).fit(texts, flipped)
    assert fitted.predictor_.model.task.temperature is not None
    assert not any("calibrated" in note for note in fitted.notes_)
    small = classifier(epochs=1).fit(texts, flipped)
    assert any("100 validation examples, not 22" in note for note in small.notes_)


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with on_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(UsageError, match="threads is 0; it must be 1 or more"), on_threads(0):
        pass


def test_verbose_tells(capfd: pytest.CaptureFixture[str]) -> None:
    texts, labels = rows(24)
    classifier(epochs=1).fit(texts, labels)
    assert capfd.readouterr() == ("", "")
    classifier(epochs=1, verbose=True).fit(texts, labels)
    assert "epoch 1: training loss" in capfd.readouterr().err
