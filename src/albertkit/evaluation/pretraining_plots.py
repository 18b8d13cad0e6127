"""Curves of pretraining and distillation runs by tokens: training smoothed, held-out text as points."""

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
from albertkit.io.files import read_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Panels = Sequence[tuple[str, str]]
"""Key of an event, and what the axis says."""

PANELS: Panels = (
    ("mlm_loss", "masked pieces: loss (nats)"),
    ("mlm_accuracy", "masked pieces: accuracy (%)"),
    ("sop_loss", "sentence order: loss (nats)"),
    ("sop_accuracy", "sentence order: accuracy (%)"),
)
"""Of a pretraining."""
VECTOR_PANELS: Panels = (
    ("vector_cosine", "mean vector: cosine to the teacher's"),
    ("relation_error", "mean vector: relation error"),
    ("pooler_vector_cosine", "pooler: cosine to the teacher's"),
    ("pooler_relation_error", "pooler: relation error"),
)
"""Of a distillation."""
_POINTS = 200  # of a training curve: each is the mean of the steps around it


@dataclass(frozen=True)
class Curves:
    """Events of one run."""

    steps: Sequence[Mapping[str, Any]]
    """Of training, by step."""
    evaluations: Sequence[Mapping[str, Any]]
    """Of held-out text."""


def panels_of(run: str | os.PathLike[str]) -> Panels | None:
    """Return what is drawn of a run directory, by its settings; None where it is no pretraining or distillation."""
    try:
        settings = read_json(Path(run) / "config.json")
    except (OSError, ValueError):
        return None
    if not isinstance(settings, dict):
        return None
    if not settings.keys() & {"mlm_probability", "mask_share"}:  # the second in runs of older versions
        return None
    if "teacher" not in settings:
        return PANELS
    heads = [panel for panel in PANELS if panel[0].endswith("_accuracy")] if settings.get("pretraining") is True else []
    return (*VECTOR_PANELS, *heads)


def read_curves(run: str | os.PathLike[str], panels: Panels = PANELS) -> Curves:
    """Read `metrics.jsonl` of a pretraining or distillation run.

    Args:
        run: the directory.
        panels: what every event has to hold.

    Raises:
        RunError: there is none, it holds no step, or a line is damaged.
    """
    events = read_events(run)
    steps = [event for event in events if event.get("event") == "step" and panels[0][0] in event]
    evaluations = [event for event in events if event.get("event") == "evaluation"]
    path = Path(run) / EVENTS
    if not steps:
        raise RunError(f"{path}: holds no step with {panels[0][0]}")
    for event in (*steps, *evaluations):
        for name in ("training_tokens", *(name for name, _ in panels)):
            value = event.get(name)
            if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e18:
                raise RunError(f'{path}: the event of step {event["step"]} has {value!r:.40} as "{name}", not a number')
    return Curves(steps, evaluations)


def pretraining_figure(runs: Mapping[str, Curves], panels: Panels = PANELS, *, columns: int = 2) -> Figure:
    """Draw the figures of each run by tokens.

    Args:
        runs: the name in the legend -> its events.
        panels: the panels to draw.
        columns: panels per row.

    Raises:
        UsageError: no runs.
    """
    if not runs:
        raise UsageError("there is no run to plot")
    height = -(-len(panels) // columns)
    figure = new_figure(4.5 * columns, 3.2 * height)
    axes = figure.subplots(height, columns, squeeze=False).flatten()
    names, lines = list(runs), []
    for number, curves in enumerate(runs.values()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]
        for panel, (name, _) in zip(axes, panels, strict=True):
            x, y = _smoothed(curves.steps, name)
            held_out = [(event["training_tokens"] / 1e6, event[name]) for event in curves.evaluations]
            panel.plot(x, y, color=colour, linewidth=1.1, alpha=0.6, linestyle=(0, (4, 2)) if held_out else "-")
            line = panel.plot(
                [point[0] for point in held_out] or x,
                [point[1] for point in held_out] or y,
                color=colour, linewidth=1.8, marker=marker if held_out else None, markersize=4,
            )[0]  # fmt: skip
        lines.append(line)
    for panel, (_, title) in zip(axes, panels, strict=True):
        style_axes(panel, x="million tokens", y=title)
    add_legend(figure, lines, names, loc="outside lower center", columns=min(3, len(names)))
    key = [key_line(axes[0], dashed=False), key_line(axes[0], dashed=True)]
    add_legend(figure, key, ["held-out text", "training (smoothed)"], loc="outside upper center", columns=2)
    return figure


def plot_pretraining(runs: Mapping[str, Curves], panels: Panels = PANELS, *, path: str | os.PathLike[str]) -> Path:
    """Write the picture of `pretraining_figure` as PNG and return its path."""
    return write_png(pretraining_figure(runs, panels), path)


def _smoothed(steps: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    parts = np.array_split(np.arange(len(steps)), min(_POINTS, len(steps)))
    x = [steps[int(part[-1])]["training_tokens"] / 1e6 for part in parts]
    return x, [float(np.mean([steps[int(row)][name] for row in part])) for part in parts]
