"""The end of a run: the model's folder, baselines, the report and its plots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from albertkit.datasets import can_be_named
from albertkit.evaluation.plots import plot_confusion, plot_history, plot_reliability
from albertkit.evaluation.report import ChosenBy, Report
from albertkit.evaluation.report_page import FILE_NAME, report_page
from albertkit.io.files import write_text
from albertkit.models.card import CardFacts, short
from albertkit.models.pretrained import save_model
from albertkit.scoring.score import Score
from albertkit.training.environment import environment
from albertkit.training.heads import task_of
from albertkit.training.repeating import repeating_command
from albertkit.training.resolved import Resolved
from albertkit.training.run import Run
from albertkit.training.train import Trained
from albertkit.training.verdict import verdict_of


def finish(trained: Trained, resolved: Resolved, run: Run) -> Report:
    """Save the model, score the baselines, write report and plots; return the report.

    Of processes that train together, only the first writes, and only its report has baselines and teacher.

    Args:
        trained: what the training gave, with a score.
        resolved: its resolved settings.
        run: where it writes.

    Raises:
        WriteError: the system refused a file; what was written before stays.
    """
    assert trained.scored is not None
    seconds = run.seconds
    model, splits, scored = trained.predictor.model, trained.splits, trained.scored
    settings = resolved.settings
    if trained.few_shot is not None:
        settings = replace(settings, pooling=model.head.pooling)
    folder = run.folder.path
    writes = run.shares.processes.is_main
    if writes:
        save_model(model, folder / "model", facts={"data": splits.train.name}, card=_card(trained, resolved))
        run.progress.report(f"model: {folder / 'model'}")
    baselines = () if trained.few_shot is None else trained.few_shot.baselines
    if writes and not baselines:
        say = run.progress.report
        baselines = tuple(task_of(model).baselines(splits.train, splits.test, tfidf=settings.baseline, say=say))
    named = {"train": splits.train, "validation": splits.validation, "scored": splits.test}
    uncalibrated = () if trained.uncalibrated is None else (trained.uncalibrated,)
    report = Report(
        task=task_of(model).name,
        data=splits.train.name,
        model=settings.model,
        metrics=scored.metrics,
        intervals=scored.intervals,
        split=splits.test.split,
        best_epoch=trained.best_epoch,
        epochs=trained.epochs,
        seconds=round(seconds, 2),
        examples=len(splits.test),
        chosen_by=ChosenBy(trained.chosen_by, splits.train.metrics[0]),
        mistakes=tuple(scored.mistakes),
        examples_by_split={f"{use}: {dataset.split}": len(dataset) for use, dataset in named.items()}
        | ({} if splits.unlabelled is None else {f"train: {splits.unlabelled.split}": len(splits.unlabelled)}),
        skipped={dataset.split: len(dataset.skipped) for dataset in named.values() if dataset.skipped},
        teacher=None
        if trained.lessons is None or not writes
        else trained.lessons.report(trained.predictor, scored, splits, folder=folder),
        confusion=scored.confusion,
        calibration=scored.calibration,
        temperature=trained.temperature,
        calibration_before=scored.calibration_before,
        baselines=baselines,
        verdict=verdict_of(trained, settings, baselines),
        few_shot=None if trained.few_shot is None else trained.few_shot.choice,
        notes=tuple(dict.fromkeys((*model.notes, *splits.notes, *scored.notes, *uncalibrated))),
        environment={**environment(run.execution), **trained.shares.to_dict()},
        command=settings.to_dict(),
    )
    if not writes:
        return report
    if settings.plots:
        _draw(report, scored, splits.train.metrics[0], folder=folder)
    command = repeating_command("finetune", settings) if can_be_named(settings.data) else None  # no table in memory
    write_text(folder / FILE_NAME, report_page(report, name=folder.name, command=command, curves=settings.plots))
    run.complete(report)
    return report


def _card(trained: Trained, resolved: Resolved) -> CardFacts:
    settings, splits, scored = resolved.settings, trained.splits, trained.scored
    assert scored is not None
    limits = (f"The split {trained.chosen_by} chose the model.",)
    if trained.chosen_by == splits.test.split:
        limits = ("The split that chose the model also scored it, so the scores are somewhat too high.",)
    return CardFacts(
        base=settings.model,
        data=short(splits.train.name),
        command=repeating_command("finetune", settings, suffix="", shown=short),
        scores={name: value for name, value in scored.metrics.items() if value is not None},
        split=splits.test.split,
        intervals=scored.intervals,
        examples={"train": len(splits.train), "scored": len(splits.test)},
        limits=limits,
    )


def _draw(report: Report, scored: Score, metric: str, *, folder: Path) -> None:
    plots, title = folder / "plots", f"{folder.name}: {Path(report.model).name} on {Path(report.data).name}"
    scored_title = f"{title}, {report.split}"
    plot_history(report.epochs, path=plots / "history.png", metric=metric, best_epoch=report.best_epoch, title=title)
    if scored.confusion is not None and len(scored.confusion.labels) <= 30:
        matrix, labels = scored.confusion.matrix, scored.confusion.labels
        plot_confusion(matrix, labels=labels, path=plots / "confusion.png", title=scored_title)
    if scored.calibration is not None:
        plot_reliability(
            scored.calibration,
            before=scored.calibration_before,
            path=plots / "reliability.png",
            title=scored_title,
        )
