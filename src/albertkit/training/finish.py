"""The end of a run: the model's folder, baselines, the report and its plots."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from albertkit.device import Execution
from albertkit.evaluation.baseline import Baseline, majority_baseline, tfidf_baseline
from albertkit.evaluation.evaluate import Scored, score_logits
from albertkit.evaluation.plots import plot_confusion, plot_history, plot_reliability
from albertkit.evaluation.predicted import trivial_baselines
from albertkit.evaluation.report import ChosenBy, Report
from albertkit.predictor import Predictor
from albertkit.pretrained import save_model
from albertkit.progress import Teller
from albertkit.tasks.classification import ClassificationTask
from albertkit.training.class_weights import class_weights
from albertkit.training.history import constant_loss, one_tag_note, stuck_note
from albertkit.training.roles import Role
from albertkit.training.run import RunFolder
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits
from albertkit.training.tempering import validation_temperature


def finish(
    predictor: Predictor,
    *,
    splits: Splits,
    validation: Role,
    settings: FinetuneSettings,
    run: RunFolder,
    scored: Scored,
    chosen_by: ChosenBy,
    best_epoch: int,
    epochs: Sequence[Mapping[str, Mapping[str, float]]],
    seconds: float,
    teller: Teller,
) -> Report:
    """Calibrate and save the model, score the baselines, write report and plots; return the report.

    The temperature is fitted here, to the weights that are kept: while epochs are compared there is none.

    Raises:
        WriteError: the system refused a file; what was written before stays.
    """
    model = predictor.model
    task = model.task
    assert task is not None
    notes = [*model.notes, *splits.notes, *scored.notes]
    temperature, reason = validation_temperature(predictor, validation, splits=splits)
    if temperature is not None:
        assert isinstance(task, ClassificationTask)
        assert scored.logits is not None
        task = replace(task, temperature=temperature)
        model = replace(model, task=task)
        scored = score_logits(
            task,
            scored.logits,
            targets=task.targets(splits.scored.examples, num_labels=len(model.labels)),
            labels=model.labels,
            metrics=tuple(scored.metrics),
        )
        teller.say(f"calibrated: temperature {temperature:.2f}, fitted on {splits.validation.split}")
    elif reason is not None:
        notes.append(reason)
    stuck = None
    if isinstance(task, ClassificationTask):
        targets = task.targets(splits.train.examples, num_labels=len(model.labels))
        weights = class_weights(settings.class_weights, task=task, examples=splits.train.examples, labels=model.labels)
        reference = constant_loss(task.name, targets, weights=weights)
        stuck = stuck_note(epochs, reference=reference, learning_rate=settings.learning_rate or 0.0)
    else:
        stuck = one_tag_note(
            splits.scored,
            given=scored.given_tags,
            epochs=len(epochs),
            batch_size=settings.batch_size or 1,
            learning_rate=settings.learning_rate or 0.0,
        )
    if stuck:
        teller.say(f"warning: {stuck}")
        notes.append(stuck)
    save_model(model, run.path / "model", facts={"data": splits.train.name})
    teller.say(f"model: {run.path / 'model'}")
    baselines = _baselines(predictor, splits, tfidf=settings.baseline, teller=teller)
    roles = {"train": splits.train, "validation": splits.validation, "scored": splits.scored}
    report = Report(
        task=task.name,
        data=splits.train.name,
        model=settings.model,
        metrics=scored.metrics,
        intervals=scored.intervals,
        split=splits.scored.split,
        best_epoch=best_epoch,
        epochs=epochs,
        seconds=round(seconds, 2),
        examples=len(splits.scored),
        chosen_by=chosen_by,
        examples_by_split={f"{role}: {dataset.split}": len(dataset) for role, dataset in roles.items()},
        skipped={dataset.split: len(dataset.skipped) for dataset in roles.values() if dataset.skipped},
        confusion=scored.confusion,
        calibration=scored.calibration,
        temperature=temperature,
        calibration_before=scored.calibration_before,
        baselines=tuple(baselines),
        notes=tuple(dict.fromkeys(notes)),
        environment=environment(predictor.execution),
        command=settings.to_dict(),
    )
    if settings.plots:
        _draw(report, scored, folder=run.path / "plots")
    report.write(run.path)  # last: its presence says that the run is complete
    return report


def _draw(report: Report, scored: Scored, *, folder: Path) -> None:
    assert report.chosen_by is not None
    plot_history(
        report.epochs, path=folder / "history.png", metric=report.chosen_by.metric, best_epoch=report.best_epoch
    )
    if scored.confusion is not None and len(scored.confusion.labels) <= 30:
        plot_confusion(scored.confusion.matrix, labels=scored.confusion.labels, path=folder / "confusion.png")
    if scored.calibration is not None:
        plot_reliability(scored.calibration, before=scored.calibration_before, path=folder / "reliability.png")


def _baselines(predictor: Predictor, splits: Splits, *, tfidf: bool, teller: Teller) -> list[Baseline]:
    task = predictor.model.task
    assert task is not None
    num_labels = max(len(predictor.labels), 1)
    train, scored = splits.train, splits.scored
    if not isinstance(task, ClassificationTask):
        return trivial_baselines(train, scored)
    common: dict[str, Any] = {"task": task.name, "metrics": train.metrics, "num_labels": num_labels}
    train_targets = task.targets(train.examples, num_labels=num_labels)
    targets = task.targets(scored.examples, num_labels=num_labels)
    found = [majority_baseline(train_targets, test_labels=targets, **common)]
    if tfidf:
        teller.say("scoring the baseline: TF-IDF with a linear model")
        texts = [
            [example.text if example.pair is None else (example.text, example.pair) for example in dataset]
            for dataset in (train, scored)
        ]
        found.append(
            tfidf_baseline(texts[0], train_labels=train_targets, test_texts=texts[1], test_labels=targets, **common)
        )
    return found


def environment(execution: Execution) -> dict[str, Any]:
    """Return versions, device, precision and threads for a report."""
    import torch

    import albertkit

    return {
        "albertkit": albertkit.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": execution.device,
        "precision": execution.precision,
        "threads": execution.threads,
    }
