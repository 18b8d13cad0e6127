"""The end of a run: the model's folder, baselines, the report and its plots."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from albertkit.data.examples import TextExample
from albertkit.evaluation.baseline import Baseline, majority_baseline, tfidf_baseline
from albertkit.evaluation.evaluate import Scored, score_logits
from albertkit.evaluation.plots import plot_confusion, plot_history, plot_reliability
from albertkit.evaluation.predicted import trivial_baselines
from albertkit.evaluation.report import ChosenBy, Report
from albertkit.hardware.device import Execution
from albertkit.inference.predictor import Predictor
from albertkit.io.progress import Teller
from albertkit.models.pretrained import save_model
from albertkit.tasks.classification import ClassificationTask
from albertkit.training.few_shot.train import FewShot
from albertkit.training.lessons import Lessons
from albertkit.training.roles import Role
from albertkit.training.run import RunFolder
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits
from albertkit.training.tempering import validation_temperature
from albertkit.training.verdict import verdict_of


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
    lessons: Lessons | None = None,
    seconds: float,
    teller: Teller,
    few_shot: FewShot | None = None,
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
    if few_shot is None:
        temperature, reason = validation_temperature(predictor, validation, splits=splits)
    else:
        temperature, reason = few_shot.temperature, few_shot.reason
    if temperature is not None:
        assert isinstance(task, ClassificationTask)
        assert scored.logits is not None
        task = replace(task, temperature=temperature)
        model = replace(model, task=task)
        scored = score_logits(
            task,
            scored.logits,
            targets=task.targets(splits.scored.of(TextExample), num_labels=len(model.labels)),
            labels=model.labels,
            metrics=tuple(scored.metrics),
        )
        teller.say(f"calibrated: temperature {temperature:.2f}, fitted on {chosen_by.split}")
    elif reason is not None:
        notes.append(reason)
    save_model(model, run.path / "model", facts={"data": splits.train.name})
    teller.say(f"model: {run.path / 'model'}")
    baselines = () if few_shot is None else few_shot.baselines
    baselines = baselines or tuple(_baselines(predictor, splits, tfidf=settings.baseline, teller=teller))
    roles = {"train": splits.train, "validation": splits.validation, "scored": splits.scored}
    teacher = None
    if lessons is not None:
        teacher = lessons.report(Predictor(model, execution=predictor.execution), scored, splits, folder=run.path)
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
        examples_by_split={f"{role}: {dataset.split}": len(dataset) for role, dataset in roles.items()}
        | ({} if splits.unlabelled is None else {f"train: {splits.unlabelled.split}": len(splits.unlabelled)}),
        skipped={dataset.split: len(dataset.skipped) for dataset in roles.values() if dataset.skipped},
        teacher=teacher,
        confusion=scored.confusion,
        calibration=scored.calibration,
        temperature=temperature,
        calibration_before=scored.calibration_before,
        baselines=baselines,
        verdict=verdict_of(
            model,
            splits=splits,
            settings=settings,
            scored=scored,
            baselines=baselines,
            epochs=epochs,
            best_epoch=best_epoch,
            lessons=lessons,
        ),
        few_shot=None if few_shot is None else few_shot.choice,
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
    train_targets = task.targets(train.of(TextExample), num_labels=num_labels)
    targets = task.targets(scored.of(TextExample), num_labels=num_labels)
    found = [majority_baseline(train_targets, test_labels=targets, **common)]
    if tfidf:
        teller.say("scoring the baseline: TF-IDF with a linear model")
        texts = [
            [row.text if row.pair is None else (row.text, row.pair) for row in dataset.of(TextExample)]
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
