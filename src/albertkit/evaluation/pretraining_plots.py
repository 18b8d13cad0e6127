"""Curves of pretraining runs: losses and accuracies by tokens, training smoothed, held-out text as points."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from albertkit.errors import RunError, UsageError
from albertkit.evaluation.drawing import (
    COLOURS,
    MARKERS,
    add_legend,
    key_line,
    new_figure,
    style_axes,
    write_png,
)
from albertkit.evaluation.events import FILE_NAME as EVENTS
from albertkit.evaluation.events import read_events
from albertkit.files import read_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = (
    ("mlm_loss", "masked pieces: loss (nats)"),
    ("mlm_accuracy", "masked pieces: accuracy (%)"),
    ("sop_loss", "sentence order: loss (nats)"),
    ("sop_accuracy", "sentence order: accuracy (%)"),
)
_POINTS = 200  # of a training curve: each is the mean of the steps around it


@dataclass(frozen=True)
class Curves:
    """Events of one run."""

    steps: Sequence[Mapping[str, Any]]
    """Of training, by step."""
    evaluations: Sequence[Mapping[str, Any]]
    """Of held-out text."""


def is_pretraining(run: str | os.PathLike[str]) -> bool:
    """Tell whether a run directory is one of a pretraining, by its settings."""
    try:
        settings = read_json(Path(run) / "config.json")
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and "mask_share" in settings


def read_curves(run: str | os.PathLike[str]) -> Curves:
    """Read `metrics.jsonl` of a pretraining run.

    Raises:
        RunError: there is none, it holds no step, or a line is damaged.
    """
    events = read_events(run)
    steps = [event for event in events if event.get("event") == "step" and "mlm_loss" in event]
    evaluations = [event for event in events if event.get("event") == "evaluation"]
    path = Path(run) / EVENTS
    if not steps:
        raise RunError(f"{path}: holds no step of a pretraining")
    for event in (*steps, *evaluations):
        for name in ("training_tokens", *(name for name, _ in PANELS)):
            value = event.get(name)
            if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e18:
                raise RunError(f'{path}: the event of step {event["step"]} has {value!r:.40} as "{name}", not a number')
    return Curves(steps, evaluations)


def pretraining_figure(runs: Mapping[str, Curves]) -> Figure:
    """Draw the four figures of each run by tokens.

    Args:
        runs: the name in the legend -> its events.

    Raises:
        UsageError: no runs.
    """
    if not runs:
        raise UsageError("there is no pretraining to plot")
    figure = new_figure(9.0, 6.4)
    axes = figure.subplots(2, 2).flatten()
    names, lines = list(runs), []
    for number, curves in enumerate(runs.values()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]
        for panel, (name, _) in zip(axes, PANELS, strict=True):
            x, y = _smoothed(curves.steps, name)
            held_out = [(event["training_tokens"] / 1e6, event[name]) for event in curves.evaluations]
            panel.plot(x, y, color=colour, linewidth=1.1, alpha=0.6, linestyle=(0, (4, 2)) if held_out else "-")
            line = panel.plot(
                [point[0] for point in held_out] or x,
                [point[1] for point in held_out] or y,
                color=colour, linewidth=1.8, marker=marker if held_out else None, markersize=4,
            )[0]  # fmt: skip
        lines.append(line)
    for panel, (_, title) in zip(axes, PANELS, strict=True):
        style_axes(panel, x="million tokens", y=title)
    add_legend(figure, lines, names, loc="outside lower center", columns=min(3, len(names)))
    key = [key_line(axes[0], dashed=False), key_line(axes[0], dashed=True)]
    add_legend(figure, key, ["held-out text", "training (smoothed)"], loc="outside upper center", columns=2)
    return figure


def plot_pretraining(runs: Mapping[str, Curves], *, path: str | os.PathLike[str]) -> Path:
    """Write the picture of `pretraining_figure` as PNG and return its path."""
    return write_png(pretraining_figure(runs), path)


def _smoothed(steps: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    parts = np.array_split(np.arange(len(steps)), min(_POINTS, len(steps)))
    x = [steps[int(part[-1])]["training_tokens"] / 1e6 for part in parts]
    return x, [float(np.mean([steps[int(row)][name] for row in part])) for part in parts]
