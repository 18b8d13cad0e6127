"""Tables and sentences of a report as plain text: a terminal and a page show the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.datasets.dataset import WHOLE
from albertkit.io.counts import counted_noun
from albertkit.scoring.intervals import too_few
from albertkit.scoring.metrics import metric_title

if TYPE_CHECKING:
    from albertkit.evaluation.few_shot import FewShotChoice
    from albertkit.evaluation.report import Report

MOST_EPOCHS = 14
"""Rows of the table of epochs."""


@dataclass(frozen=True)
class Table:
    """Cells with their headings; the first column names the rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold: frozenset[int] = frozenset()
    """Numbers of the rows to emphasize."""
    faint: frozenset[int] = frozenset()
    """Numbers of the rows to show paler."""


def title_of(report: Report) -> str:
    """Return what was trained on what."""
    return f"{report.model} on {report.data} ({report.task})"


def scored_on(report: Report) -> str:
    """Return the name of what was scored."""
    return Path(report.data).name if report.split == WHOLE else report.split


def scores(report: Report) -> Table:
    """Return each metric of the model next to those of the baselines, and the seconds that each took."""
    known = ["95 % interval"] if report.intervals else []
    baselines = () if report.too_few_examples else report.baselines
    rows = []
    for name, value in report.metrics.items():
        own = too_few(report.examples) if report.too_few_examples else _number(value)
        between = [_interval(report.intervals.get(name))] if known else []
        others = [_number(baseline.metrics.get(name)) for baseline in baselines]
        rows.append([metric_title(name), own, *between, *others])
    faint = frozenset[int]()
    if report.seconds is not None:
        own, *others = (_number(value, digits=1) for value in (report.seconds, *(each.seconds for each in baselines)))
        faint = frozenset([len(rows)])
        rows.append(["seconds", own, *([""] if known else []), *others])
    return Table(
        ["", "this model", *known, *(baseline.name.replace("_", " ") for baseline in baselines)], rows, faint=faint
    )


def student_and_teacher(report: Report) -> Table:
    """Return what the model and its teacher score and take."""
    assert report.teacher is not None
    teacher = report.teacher
    few = too_few(report.examples)
    rows = []
    for name, value in report.metrics.items():
        both_scores = [_number(value), _number(teacher.metrics.get(name))]
        rows.append([metric_title(name), *([few, few] if report.too_few_examples else both_scores)])
    both = (teacher.student, teacher.cost)
    rows.append(["parameters", *("-" if cost.parameters is None else f"{cost.parameters:,}" for cost in both)])
    rows.append(["megabytes on disk", *(f"{cost.megabytes:,.1f}" for cost in both)])
    rows.append(["texts per second", *(f"{cost.texts_per_second:,.1f}" for cost in both)])
    if teacher.agreement is not None and not report.too_few_examples:
        rows.append(["same answer, %", _number(teacher.agreement), ""])
    return Table(["", "student", "teacher"], rows)


def sentences(report: Report) -> list[str]:
    """Return what was scored and chosen, the calibration, and the rows left out."""
    found = []
    scored = f"Scored on {report.split}"
    if report.examples is not None:
        scored += f" ({counted_noun(report.examples, 'example')})"
    if report.few_shot is None and report.chosen_by is not None and report.best_epoch is not None:
        chosen = report.chosen_by
        scored += f"; epoch {report.best_epoch} had the best {chosen.metric} on {chosen.split}"
    found.append(scored + ".")
    if report.calibration is not None and not report.too_few_examples:
        measured = report.calibration
        found.append(
            f"Expected calibration error {measured.expected_calibration_error:.1f} percentage points "
            f"(mean confidence {measured.confidence:.1f} %, accuracy {measured.accuracy:.1f} %)."
        )
    if report.calibration_before is not None and report.temperature is not None and not report.too_few_examples:
        before = report.calibration_before
        found.append(
            f"Without temperature scaling ({report.temperature:.2f}) it would be "
            f"{before.expected_calibration_error:.1f} points (mean confidence {before.confidence:.1f} %)."
        )
    skipped = {split: count for split, count in report.skipped.items() if count}
    if skipped:
        found.append("Rows skipped: " + ", ".join(f"{split} {count:,}" for split, count in skipped.items()) + ".")
    return found


def candidates(choice: FewShotChoice) -> Table:
    """Return what few-shot training tried."""
    every = (*choice.candidates, *([] if choice.baseline is None else [choice.baseline]))
    rows = []
    for candidate in every:
        strength = "-" if candidate.strength is None else f"{candidate.strength:g}"
        name = f"{candidate.name}{' *' if candidate.name == choice.chosen else ''}"
        cells = [name, _number(candidate.score), _number(candidate.spread)]
        rows.append([*cells, str(candidate.folds), strength, _number(candidate.seconds, digits=1)])
    bold = frozenset(number for number, one in enumerate(every) if one.name == choice.chosen)
    return Table(["", metric_title(choice.metric), "spread", "folds", "C", "seconds"], rows, bold)


def epochs(report: Report) -> Table:
    """Return loss and main metric of each epoch, of a long run only some."""
    metric = report.main_metric or "accuracy"
    title = metric_title(metric)
    hidden = report.too_few_examples and report.chosen_by is not None and report.chosen_by.split == report.split
    rows: list[list[str]] = []
    bold: set[int] = set()
    for number in _shown_epochs(report):
        train, validation = (report.epochs[number - 1].get(split, {}) for split in ("train", "validation"))
        if number == report.best_epoch:
            bold.add(len(rows))
        cells = [f"{number}{' *' if number == report.best_epoch else ''}"]
        cells += [_number(values.get("loss"), digits=4) for values in (train, validation)]
        rows.append([*cells, _number(train.get(metric)), "-" if hidden else _number(validation.get(metric))])
    columns = ["epoch", "train loss", "validation loss", f"train {title}", f"validation {title}"]
    return Table(columns, rows, frozenset(bold))


def hidden_epochs(report: Report) -> str | None:
    """Return a sentence where `epochs` leaves some out, else None."""
    if len(report.epochs) <= MOST_EPOCHS:
        return None
    hidden = len(report.epochs) - len(_shown_epochs(report))
    return f"{hidden} of {len(report.epochs)} epochs are not shown; report.json has all."


def confusion(report: Report) -> Table:
    """Return the counts: a row for each true label, a column for each predicted one."""
    assert report.confusion is not None
    labels, matrix = report.confusion.labels, report.confusion.matrix
    rows = [[label, *(f"{count:,}" for count in row)] for label, row in zip(labels, matrix, strict=True)]
    return Table(["", *labels], rows)


def _number(value: Any, *, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) and not isinstance(value, bool) else "-"


def _interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.1f} to {ends[1]:.1f}"


def _shown_epochs(report: Report) -> list[int]:
    count = len(report.epochs)
    if count <= MOST_EPOCHS:
        return list(range(1, count + 1))
    step = (count - 1) / (MOST_EPOCHS - 2)
    shown = {1 + round(step * number) for number in range(MOST_EPOCHS - 1)}
    return sorted(shown | ({report.best_epoch} if report.best_epoch else set()))
