"""Fit: rows in memory -> a run of `albertkit.finetune` in a temporary folder -> the trained model."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning

from albertkit.data.examples import TextExample
from albertkit.errors import UsageError
from albertkit.estimators.saving import PREFIX, owned_model
from albertkit.evaluation.report import Report
from albertkit.hardware.device import set_threads
from albertkit.io.progress import Console, Silent
from albertkit.models.loaded import Model
from albertkit.training.finetune import finetune
from albertkit.training.run import RunFolder
from albertkit.training.settings import FinetuneSettings

_TOKEN_ROWS = 16
"""Rows of a split that has to be there and decides nothing."""

_NEVER = 10**9
"""Epochs of patience where no row is held out: none says when to stop."""


@dataclass(frozen=True)
class Fitted:
    """What a fit gave."""

    model: Model
    history: list[dict[str, dict[str, Any]]]
    """Scores of each epoch: `train`, and `validation` where rows were held out."""
    notes: tuple[str, ...]
    """What the run says of itself: texts cut, weights of the classes, no calibration."""


def fit(
    examples: Sequence[TextExample],
    targets: npt.NDArray[Any],
    *,
    settings: FinetuneSettings,
    validation_fraction: float,
    verbose: bool = False,
) -> Fitted:
    """Train on rows in memory with the library's own training; nothing stays on disk but a frozen encoder's features.

    Args:
        examples: texts or pairs.
        targets: number of each one's class, or its number, `[rows]`.
        settings: of the run, with its task; `data` and `out` are set here.
        validation_fraction: share of the rows that chooses the epoch and calibrates, in [0, 1). Where that is no row,
            all of them train and the weights are those of the last epoch. Few-shot training uses every row.
        verbose: whether to tell how it goes, on standard error.

    A training whose loss got nowhere is a ConvergenceWarning, as in scikit-learn.

    Raises:
        UsageError, DataError, CheckpointError, RunError: as `finetune`.
    """
    if not 0 <= validation_fraction < 1:
        raise UsageError(f"validation_fraction is {validation_fraction}; it is a share of the rows, from 0 to below 1")
    fraction = 0.0 if settings.few_shot else validation_fraction  # cross-validation holds rows out itself
    kept, held = divide(targets, fraction=fraction, seed=settings.seed, classes=settings.task != "regression")
    with TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as parent:
        data, run = Path(parent) / "data", Path(parent) / "run"
        data.mkdir()
        # A run wants a split to choose by, and another one to score if the first shall calibrate. Where no row is held
        # out, and for the score, which nobody reads, a few rows stand there.
        dev = held if len(held) else kept[:_TOKEN_ROWS]
        for split, rows in (("train", kept), ("dev", dev), ("test", dev[:_TOKEN_ROWS])):
            _write_rows(data / f"{split}.jsonl", examples, targets, rows)
        settings = replace(
            settings,
            data=str(data),
            out=str(run),
            text_column="text",
            pair_column="pair" if examples[0].pair is not None else None,
            label_column="label",
            baseline=False,
            plots=False,
            patience=settings.patience if len(held) or settings.few_shot else _NEVER,
        )
        report = finetune(settings, teller=Console() if verbose else Silent())
        model = owned_model(run, source=settings.model)
        if not len(held) and not settings.few_shot:
            _take_last_weights(model, RunFolder(run), frozen=settings.freeze_encoder)
    return Fitted(model, *_said(report, held_out=len(held) > 0 or settings.few_shot))


def _said(report: Report, *, held_out: bool) -> tuple[list[dict[str, dict[str, Any]]], tuple[str, ...]]:
    """Return history and notes without what is about rows that decide nothing; warn of a training that got nowhere.

    A note on labels would name them by number.
    """
    parts = ("train", "validation") if held_out else ("train",)
    unread = ("the classification head", "the regression head", "test: ", "rare labels", "train has ") + (
        () if held_out else ("dev: ", "the probab")
    )
    notes = [note for note in report.notes if not note.startswith(unread)]
    if report.verdict is not None and report.verdict.outcome == "stuck":  # no other outcome counts: nothing was scored
        said = f"{report.verdict.sentence} Try another learning_rate or random_state, more epochs, or frozen=True."
        warnings.warn(said, ConvergenceWarning, stacklevel=5)
        notes.append(said)
    if report.few_shot is not None:
        notes.append(f"few-shot training: {report.few_shot.why}")
    return [{part: dict(epoch[part]) for part in parts} for epoch in report.epochs], tuple(notes)


def divide(
    targets: npt.NDArray[Any], *, fraction: float, seed: int, classes: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the numbers of the rows that train and of those held out, maybe none; of every class one row trains.

    >>> [part.tolist() for part in divide(np.array([0, 0, 0, 0, 1]), fraction=0.2, seed=1, classes=True)]
    [[0, 2, 3, 4], [1]]

    Args:
        targets: number of each row's class, or its number, `[rows]`.
        fraction: share of the rows to hold out, in [0, 1); less than half a row is none.
        seed: another one draws other rows.
        classes: whether the targets are classes.
    """
    order = np.random.RandomState(seed).permutation(len(targets))
    needed = set(order[np.unique(targets[order], return_index=True)[1]].tolist()) if classes else {int(order[0])}
    free = [row for row in order.tolist() if row not in needed]
    held = np.sort(np.array(free[: round(fraction * len(targets))], np.int64))
    return np.setdiff1d(np.arange(len(targets)), held), held


def _write_rows(
    path: Path, examples: Sequence[TextExample], targets: npt.NDArray[Any], rows: npt.NDArray[np.int64]
) -> None:
    values = targets.tolist()
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in rows.tolist():
            example = examples[row]
            pair = {} if example.pair is None else {"pair": example.pair}
            file.write(json.dumps({"text": example.text, **pair, "label": values[row]}) + "\n")


def _take_last_weights(model: Model, run: RunFolder, *, frozen: bool) -> None:
    """Put the last epoch's weights in place of the best one's: no row was there to tell which was best."""
    last = run.load_checkpoint()
    assert last is not None
    assert model.task is not None
    trained = model.network.heads[model.task.head] if frozen else model.network
    trained.load_state_dict(last["weights"])


@contextmanager
def on_threads(threads: int | None) -> Iterator[None]:
    """Let torch use so many processor threads inside the block; None changes nothing."""
    before = torch.get_num_threads()
    try:
        if threads is not None:
            if threads < 1:
                raise UsageError(f"threads is {threads}; it must be 1 or more")
            set_threads(threads)
        yield
    finally:
        set_threads(before)
