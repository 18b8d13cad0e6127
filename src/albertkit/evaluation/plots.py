"""Pictures of runs: curves by epoch, confusion matrix, reliability, runs side by side. PNG, no display needed.

Every picture has a pure builder `*_figure` that returns a matplotlib Figure and a `plot_*` that writes it.
"""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.errors import DataError, UsageError
from albertkit.evaluation.drawing import (
    COLOURS,
    INK,
    MARKERS,
    add_legend,
    add_title,
    curve,
    draw_bins,
    draw_intervals,
    draw_line,
    draw_reliability,
    epoch_axis,
    key_line,
    key_mark,
    mark_point,
    new_figure,
    style_axes,
    value_limits,
    write_png,
)
from albertkit.scoring.metrics import metric_title

PANEL = (4.4, 3.3)
"""Width and height of a picture in a page, in inches: small, so that its texts stay readable on a phone."""
LEAST_EXAMPLES = 100
"""Fewer do not show whether a model is calibrated."""

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from albertkit.evaluation.report import EpochScores, Report
    from albertkit.scoring.calibration import Calibration


def history_figure(
    epochs: Sequence[EpochScores], *, metric: str = "accuracy", best_epoch: int | None = None, title: str = ""
) -> Figure:
    """Draw loss and the main metric of training and validation by epoch.

    Args:
        epochs: scores of each epoch, the first first: {"train": {"loss": .., metric: ..}, "validation": {..}}.
        metric: the metric of the second panel.
        best_epoch: the epoch to mark, counted from 1.
        title: text above the picture.

    Raises:
        UsageError: there are no epochs.
    """
    if not epochs:
        raise UsageError("there is no history to plot: the report holds 0 epochs")
    figure = new_figure(9.0, 4.0)
    add_title(figure, title)
    for axes, name in zip(figure.subplots(1, 2), ("loss", metric), strict=True):
        legend = _draw_history(axes, epochs, name=name, best_epoch=best_epoch)
    add_legend(figure, *legend, loc="outside lower center", columns=3)
    return figure


def panel_figure(epochs: Sequence[EpochScores], *, name: str, best_epoch: int | None = None) -> Figure:
    """Draw one panel of `history_figure`, for a page: the loss or a metric by epoch."""
    figure = new_figure(*PANEL)
    legend = _draw_history(figure.subplots(), epochs, name=name, best_epoch=best_epoch)
    add_legend(figure, *legend, loc="outside lower center", columns=3)
    return figure


def _draw_history(
    axes: Axes, epochs: Sequence[EpochScores], *, name: str, best_epoch: int | None
) -> tuple[list[Any], list[str]]:
    """Draw training and validation by epoch; return the lines and their names."""
    curves = {split: curve(epochs, split=split, name=name) for split in ("train", "validation")}
    lines = [
        draw_line(axes, curves[split], colour=colour, dashed=split == "train")
        for split, colour in (("train", COLOURS[1]), ("validation", COLOURS[0]))
    ]
    values, names = curves["validation"], ["training", "validation"]
    if best_epoch is not None and 1 <= best_epoch <= len(values) and math.isfinite(values[best_epoch - 1]):
        lines.append(mark_point(axes, best_epoch, values[best_epoch - 1], colour=COLOURS[0]))
        names.append(f"kept: epoch {best_epoch}")
    epoch_axis(axes, [len(epochs)])
    style_axes(axes, x="epoch", y="loss" if name == "loss" else metric_title(name))
    value_limits(axes, list(curves.values()), name=name)
    return lines, names


def plot_history(
    epochs: Sequence[EpochScores],
    *,
    path: str | os.PathLike[str],
    metric: str = "accuracy",
    best_epoch: int | None = None,
    title: str = "",
) -> Path:
    """Write the picture of `history_figure` as PNG and return its path."""
    return write_png(history_figure(epochs, metric=metric, best_epoch=best_epoch, title=title), path)


def runs_figure(reports: Mapping[str, Report]) -> Figure:
    """Draw the main metric of each run by epoch: one colour a run, solid validation, dashed training.

    Args:
        reports: the name in the legend -> report.

    Raises:
        UsageError: no runs, a run without epochs, or runs with different main metrics.
    """
    metric = _common_metric(reports)
    names = ["\n".join(textwrap.wrap(name, 90, break_on_hyphens=False)) or name for name in reports]
    columns = max(1, min(len(names), 4, 110 // (max(map(len, names)) + 8)))
    figure = new_figure(8.0, 4.6 + 0.2 * math.ceil(len(names) / columns))
    axes = figure.subplots()
    lengths = [len(report.epochs) for report in reports.values()]
    lines, curves = [], []
    for number, report in enumerate(reports.values()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]
        values = curve(report.epochs, split="validation", name=metric)
        train = curve(report.epochs, split="train", name=metric)
        draw_line(axes, train, colour=colour, dashed=True, marker=marker)
        lines.append(draw_line(axes, values, colour=colour, dashed=False, marker=marker))
        curves += [values, train]
        best = report.best_epoch
        if best is not None and 1 <= best <= len(values) and math.isfinite(values[best - 1]):
            mark_point(axes, best, values[best - 1], colour=colour, marker=marker)
    epoch_axis(axes, lengths)
    log = axes.get_xscale() == "log"
    style_axes(axes, x="epoch (logarithmic)" if log else "epoch", y=metric_title(metric))
    value_limits(axes, curves, name=metric)
    add_legend(figure, lines, names, loc="outside lower center", columns=columns)
    key = [key_line(axes, dashed=False), key_line(axes, dashed=True), key_mark(axes)]
    add_legend(figure, key, ["validation", "training", "kept epoch"], loc="outside upper center", columns=3)
    return figure


def plot_runs(reports: Mapping[str, Report], *, path: str | os.PathLike[str]) -> Path:
    """Write the picture of `runs_figure` as PNG and return its path."""
    return write_png(runs_figure(reports), path)


def confusion_figure(matrix: Sequence[Sequence[int]], *, labels: Sequence[str], title: str = "") -> Figure:
    """Draw a confusion matrix: colour is the share of the true label's row, cells hold counts.

    Args:
        matrix: `[labels, labels]` counts, a row for each true label.
        labels: names of the labels.
        title: text above the picture.

    Raises:
        DataError: the matrix is not square or has another size than the labels.
    """
    size = len(labels)
    if not size or len(matrix) != size or any(len(row) != size for row in matrix):
        raise DataError(f"a confusion matrix of {size} labels needs {size} rows and columns, not {len(matrix)} rows")
    figure = new_figure(*(min(max(3.8 + 0.5 * size, 4.8), 14.0) - offset for offset in (0.0, 0.6)))
    add_title(figure, title)
    axes = figure.subplots()
    shares = [[100 * count / max(sum(row), 1) for count in row] for row in matrix]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    names = [textwrap.shorten(label, 24, placeholder="...") or label[:24] for label in labels]
    crowded = size > 4 or max(map(len, names)) > 10
    axes.set_xticks(range(size), names, rotation=45 if crowded else 0, ha="right" if crowded else "center")
    axes.set_yticks(range(size), names)
    if crowded:
        for text in axes.get_xticklabels():
            text.set_rotation_mode("anchor")
    small = 9 if size <= 10 else 6.5
    for row in range(size if size <= 20 else 0):
        for column in range(size):
            ink = "white" if shares[row][column] > 62 else INK
            percent = f"\n{shares[row][column]:.0f} %" if size <= 10 and any(matrix[row]) else ""
            cell = f"{matrix[row][column]:,}{percent}"
            axes.text(column, row, cell, ha="center", va="center", color=ink, fontsize=small)
    style_axes(axes, x="predicted label", y="true label", grid=False)
    axes.tick_params(length=0, labelsize=9 if size <= 20 else 6)
    for side in axes.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.035, 1.0)))
    bar.set_label("share of the true label, %", color=INK, fontsize=9)
    bar.ax.tick_params(labelsize=8, colors=INK, length=0)
    bar.outline.set_visible(False)
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_parse_math(False)
    return figure


def plot_confusion(
    matrix: Sequence[Sequence[int]], *, labels: Sequence[str], path: str | os.PathLike[str], title: str = ""
) -> Path:
    """Write the picture of `confusion_figure` as PNG and return its path."""
    return write_png(confusion_figure(matrix, labels=labels, title=title), path)


def reliability_figure(
    calibration: Calibration,
    *,
    before: Calibration | None = None,
    title: str = "",
    size: tuple[float, float] = (5.2, 5.6),
) -> Figure:
    """Draw accuracy by confidence with the diagonal of perfect calibration, and how many examples each bin holds.

    A vertical line on each bin is the 95 % interval of its accuracy: long in bins of few examples.

    Args:
        calibration: the bins and the error.
        before: the same without the model's temperature, drawn dashed.
        title: text above the picture.
        size: width and height in inches.
    """
    figure = new_figure(*size)
    add_title(figure, title)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    perfect = upper.plot([0, 100], [0, 100], color="#888888", linestyle="--", linewidth=1.2, zorder=3)[0]
    if before is None:
        bars = draw_bins(upper, calibration, colour=COLOURS[0])
        drawn = {"accuracy": bars, "at mean confidence": draw_reliability(upper, calibration, colour=COLOURS[1])}
    else:
        drawn = {
            "before": draw_reliability(upper, before, colour=COLOURS[1], dashed=True),
            "calibrated": draw_reliability(upper, calibration, colour=COLOURS[0], dashed=False),
        }
    drawn["95 % interval"] = draw_intervals(upper, calibration)
    draw_bins(lower, calibration, colour="#9AA5B1" if before is None else COLOURS[0], shares=True)
    if before is not None:
        draw_bins(lower, before, colour=COLOURS[1], shares=True, outline=True)
    upper.set_xlim(0, 100)
    upper.set_ylim(0, 100)
    style_axes(upper, x="", y="accuracy, %")
    style_axes(lower, x="confidence, % (highest probability)", y="examples, %")
    errors = "" if before is None else f" (before: {before.expected_calibration_error:.1f})"
    total = sum(entry.examples for entry in calibration.bins)
    error = (
        f"expected calibration error {calibration.expected_calibration_error:.1f} points{errors}, {total:,} examples"
    )
    few = "\ntoo few examples to judge the calibration" if total < LEAST_EXAMPLES else ""
    upper.set_title(f"{error}{few}", fontsize=9, color=INK, loc="left")
    drawn["perfect"] = perfect
    add_legend(figure, list(drawn.values()), list(drawn), loc="outside lower center", columns=3)
    return figure


def plot_reliability(
    calibration: Calibration,
    *,
    path: str | os.PathLike[str],
    before: Calibration | None = None,
    title: str = "",
) -> Path:
    """Write the picture of `reliability_figure` as PNG and return its path."""
    return write_png(reliability_figure(calibration, before=before, title=title), path)


def _common_metric(reports: Mapping[str, Report]) -> str:
    if not reports:
        raise UsageError("there is nothing to plot: name at least one run")
    empty = [name for name, report in reports.items() if not report.epochs]
    if empty:
        raise UsageError(f"nothing to plot for {', '.join(empty)}: the report holds no epochs")
    metrics = {name: report.main_metric for name, report in reports.items()}
    if len(set(metrics.values())) > 1:
        pairs = ", ".join(f"{name}: {metric or 'none'}" for name, metric in metrics.items())
        raise UsageError(f"runs with different main metrics cannot share an axis ({pairs}); plot them separately")
    metric = next(iter(metrics.values()))
    if metric is None:
        raise UsageError(f"nothing to plot for {', '.join(reports)}: the report holds no metrics")
    return metric
