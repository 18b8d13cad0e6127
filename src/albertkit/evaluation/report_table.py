"""A report as tables on a terminal (rich); names and notes of users are printed as they are, never as markup."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.datasets.dataset import WHOLE
from albertkit.scoring.intervals import too_few
from albertkit.scoring.metrics import metric_title

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from albertkit.evaluation.few_shot import FewShotChoice
    from albertkit.evaluation.report import Report

_MOST_EPOCHS = 14
_MOST_LABELS = 10


def render(report: Report, *, console: Console) -> None:
    """Print a report: scores next to baselines, epochs, confusion matrix (up to 10 labels), calibration, notes,
    verdict.

    Args:
        report: the report to print.
        console: the rich console to print to.
    """
    _line(console, f"{report.model} on {report.data} ({report.task})", style="bold")
    scored = Path(report.data).name if report.split == WHOLE else report.split
    _line(console, f"Scores on {scored}")
    console.print(_scores(report))
    if report.teacher is not None:
        _line(console, f"Model and teacher ({report.teacher.model})")
        console.print(_teacher(report))
    for sentence in _sentences(report):
        _line(console, sentence)
    if report.few_shot is not None:
        _line(console, f"Cross-validation in {report.few_shot.folds} folds (* = chosen)")
        console.print(_candidates(report.few_shot))
        _line(console, f"Chosen: {report.few_shot.why}.")
    elif report.epochs:
        _line(console, "Epochs (* = kept)")
        console.print(_epochs(report))
        if len(report.epochs) > _MOST_EPOCHS:
            hidden = len(report.epochs) - len(_shown_epochs(report))
            _line(console, f"{hidden} of {len(report.epochs)} epochs are not shown; report.json has all.", style="dim")
    if report.confusion is not None:
        if len(report.confusion.labels) <= _MOST_LABELS:
            _line(console, f"Confusion matrix on {scored} (rows: true labels, columns: predicted labels)")
            console.print(_confusion(report))
        else:
            count = len(report.confusion.labels)
            _line(console, f"The confusion matrix of {count} labels is in report.json.", style="dim")
    for note in report.notes:
        _line(console, f"Note: {note}")
    for line in report.verdict.lines if report.verdict is not None else ():
        _line(console, line, style="bold")


def _line(console: Console, text: str, *, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False)


def _table(first: str, *, columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text(first), overflow="fold")  # a narrow terminal breaks names and cuts none
    for column in columns:
        table.add_column(Text(column), justify="right", overflow="fold")
    return table


def _add_row(table: Table, cells: Sequence[str], *, style: str = "") -> None:
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells), style=style)


def _number(value: Any, *, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) and not isinstance(value, bool) else "-"


def _scores(report: Report) -> Table:
    known = ["95 % interval"] if report.intervals else []
    baselines = () if report.too_few_examples else report.baselines
    table = _table("", columns=["this model", *known, *(baseline.name.replace("_", " ") for baseline in baselines)])
    for name, value in report.metrics.items():
        own = too_few(report.examples) if report.too_few_examples else _number(value)
        between = [_interval(report.intervals.get(name))] if known else []
        others = [_number(baseline.metrics.get(name)) for baseline in baselines]
        _add_row(table, [metric_title(name), own, *between, *others])
    if report.seconds is not None:
        own, *others = (_number(value, digits=1) for value in (report.seconds, *(each.seconds for each in baselines)))
        _add_row(table, ["seconds", own, *([""] if known else []), *others], style="dim")
    return table


def _teacher(report: Report) -> Table:
    assert report.teacher is not None
    teacher = report.teacher
    table = _table("", columns=["student", "teacher"])
    few = too_few(report.examples)
    for name, value in report.metrics.items():
        both_scores = [_number(value), _number(teacher.metrics.get(name))]
        _add_row(table, [metric_title(name), *([few, few] if report.too_few_examples else both_scores)])
    both = (teacher.student, teacher.cost)
    _add_row(table, ["parameters", *("-" if cost.parameters is None else f"{cost.parameters:,}" for cost in both)])
    _add_row(table, ["megabytes on disk", *(f"{cost.megabytes:,.1f}" for cost in both)])
    _add_row(table, ["texts per second", *(f"{cost.texts_per_second:,.1f}" for cost in both)])
    if teacher.agreement is not None and not report.too_few_examples:
        _add_row(table, ["same answer, %", _number(teacher.agreement), ""])
    return table


def _interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.1f} to {ends[1]:.1f}"


def _sentences(report: Report) -> list[str]:
    sentences = []
    scored = f"Scored on {report.split}"
    if report.examples is not None:
        scored += f" ({report.examples:,} examples)"
    if report.few_shot is None and report.chosen_by is not None and report.best_epoch is not None:
        chosen = report.chosen_by
        scored += f"; epoch {report.best_epoch} had the best {chosen.metric} on {chosen.split}"
    sentences.append(scored + ".")
    if report.calibration is not None and not report.too_few_examples:
        found = report.calibration
        sentences.append(
            f"Expected calibration error {found.expected_calibration_error:.1f} percentage points "
            f"(mean confidence {found.confidence:.1f} %, accuracy {found.accuracy:.1f} %)."
        )
    if report.calibration_before is not None and report.temperature is not None and not report.too_few_examples:
        before = report.calibration_before
        sentences.append(
            f"Without temperature scaling ({report.temperature:.2f}) it would be "
            f"{before.expected_calibration_error:.1f} points (mean confidence {before.confidence:.1f} %)."
        )
    skipped = {split: count for split, count in report.skipped.items() if count}
    if skipped:
        sentences.append("Rows skipped: " + ", ".join(f"{split} {count:,}" for split, count in skipped.items()) + ".")
    return sentences


def _candidates(choice: FewShotChoice) -> Table:
    table = _table("", columns=[metric_title(choice.metric), "spread", "folds", "C", "seconds"])
    for candidate in (*choice.candidates, *([] if choice.baseline is None else [choice.baseline])):
        kept = candidate.name == choice.chosen
        strength = "-" if candidate.strength is None else f"{candidate.strength:g}"
        cells = [f"{candidate.name}{' *' if kept else ''}", _number(candidate.score), _number(candidate.spread)]
        cells += [str(candidate.folds), strength, _number(candidate.seconds, digits=1)]
        _add_row(table, cells, style="bold" if kept else "")
    return table


def _shown_epochs(report: Report) -> list[int]:
    count = len(report.epochs)
    if count <= _MOST_EPOCHS:
        return list(range(1, count + 1))
    step = (count - 1) / (_MOST_EPOCHS - 2)
    shown = {1 + round(step * number) for number in range(_MOST_EPOCHS - 1)}
    return sorted(shown | ({report.best_epoch} if report.best_epoch else set()))


def _epochs(report: Report) -> Table:
    metric = report.main_metric or "accuracy"
    title = metric_title(metric)
    columns = ["train loss", "validation loss", f"train {title}", f"validation {title}"]
    table = _table("epoch", columns=columns)
    hidden = report.too_few_examples and report.chosen_by is not None and report.chosen_by.split == report.split
    for number in _shown_epochs(report):
        train, validation = (report.epochs[number - 1].get(split, {}) for split in ("train", "validation"))
        kept = number == report.best_epoch
        cells = [f"{number}{' *' if kept else ''}"]
        cells += [_number(scores.get("loss"), digits=4) for scores in (train, validation)]
        cells += [_number(train.get(metric)), "-" if hidden else _number(validation.get(metric))]
        _add_row(table, cells, style="bold" if kept else "")
    return table


def _confusion(report: Report) -> Table:
    assert report.confusion is not None
    confusion = report.confusion
    table = _table("", columns=list(confusion.labels))
    for label, row in zip(confusion.labels, confusion.matrix, strict=True):
        _add_row(table, [label, *(f"{count:,}" for count in row)])
    return table
