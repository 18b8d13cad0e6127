"""The picture of a search: one line per trial through all settings, coloured by its score."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from albertkit.evaluation.drawing import INK, add_legend, add_title, new_figure, write_png
from albertkit.scoring.metrics import metric_title
from albertkit.training.tuning.report import TrialRecord, shown_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def search_figure(
    trials: Sequence[TrialRecord],
    searched: Sequence[str],
    *,
    metric: str,
    importance: Mapping[str, float],
    title: str = "",
) -> Figure:
    """Draw parallel coordinates: an axis per searched setting, the most important first, and the score last.

    Args:
        trials: those without a value are left out; stopped ones are grey and dashed.
        searched: the settings.
        metric: name of the score.
        importance: setting -> share, written under the name of its axis.
        title: text above the picture.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    shown = sorted((trial for trial in trials if trial.value is not None), key=lambda trial: trial.value or 0.0)
    names = sorted(searched, key=lambda name: -importance.get(name, 0.0))
    figure = new_figure(2.1 * (len(names) + 1) + 1.0, 4.2)
    axes = figure.subplots()
    complete = [trial.value or 0.0 for trial in shown if trial.state == "complete"] or [0.0]
    scale = Normalize(min(complete), max(max(complete), min(complete) + 1e-9))
    columns = {name: _heights([trial.settings.get(name) for trial in shown], name=name) for name in names}
    scores, score_ticks = _heights([trial.value for trial in shown], name=metric)
    for row, trial in enumerate(shown):
        heights = [*(columns[name][0][row] for name in names), scores[row]]
        done = trial.state == "complete"
        colour = colormaps["viridis"](0.95 * scale(trial.value or 0.0)) if done else "#BBBBBB"
        best = done and row == max(i for i, each in enumerate(shown) if each.state == "complete")
        axes.plot(
            range(len(heights)), heights, color="#D55E00" if best else colour, linewidth=2.6 if best else 1.3,
            linestyle="-" if done else (0, (3, 2)), alpha=1.0 if best else 0.8, zorder=4 if best else 3 if done else 2,
        )  # fmt: skip
    for place, ticks in enumerate([*(columns[name][1] for name in names), score_ticks]):
        axes.axvline(place, color="#999999", linewidth=1.0, zorder=1)
        for height, text in ticks:
            axes.annotate(
                text, (place, height), xytext=(4, 0), textcoords="offset points", fontsize=8, color=INK, va="center",
                zorder=5, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            )  # fmt: skip
    labels = [f"{name.replace('_', ' ')}{_share(importance, name)}" for name in names]
    axes.set_xticks(range(len(names) + 1), [*labels, f"validation\n{metric_title(metric)}"], fontsize=9, color=INK)
    axes.set_yticks([])
    axes.set_xlim(-0.15, len(names) + 0.45)
    axes.set_ylim(-0.06, 1.06)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    kinds = [("#D55E00", "-", "best trial"), ("#BBBBBB", (0, (3, 2)), "stopped trial, last score")]
    shown_kinds = kinds if any(trial.state != "complete" for trial in shown) else kinds[:1]
    handles = [axes.plot([], [], color=colour, linestyle=style, linewidth=2)[0] for colour, style, _ in shown_kinds]
    add_legend(figure, handles, [text for *_, text in shown_kinds], loc="outside lower center", columns=2)
    add_title(figure, title)
    return figure


def plot_search(
    trials: Sequence[TrialRecord],
    searched: Sequence[str],
    *,
    path: str | os.PathLike[str],
    metric: str,
    importance: Mapping[str, float],
    title: str = "",
) -> Path:
    """Write `search_figure` as PNG and return its path.

    Raises:
        WriteError: the system refused.
    """
    return write_png(search_figure(trials, searched, metric=metric, importance=importance, title=title), path)


def _share(importance: Mapping[str, float], name: str) -> str:
    return f"\n{importance[name]:.0%} of the differences" if name in importance else ""


def _heights(values: Sequence[object], *, name: str) -> tuple[list[float], list[tuple[float, str]]]:
    """Return a height from 0 to 1 per value, and the ticks of the axis; learning rates are logarithmic."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values) and len(set(numbers)) > 4:
        convert = math.log if name == "learning_rate" else float
        low, high = convert(min(numbers)), convert(max(numbers))
        back = math.exp if name == "learning_rate" else float
        ticks = [low + (high - low) * part / 4 for part in range(5)]
        if all(isinstance(each, int) for each in numbers):
            ticks = sorted({float(round(tick)) for tick in ticks})
        texts = [f"{back(tick):.1e}" if name == "learning_rate" else f"{tick:.4g}" for tick in ticks]
        return [(convert(each) - low) / (high - low) for each in numbers], [
            ((tick - low) / (high - low), text) for tick, text in zip(ticks, texts, strict=True)
        ]
    choices = sorted(set(values), key=lambda value: (str(type(value)), value))
    places = {choice: 0.5 if len(choices) == 1 else row / (len(choices) - 1) for row, choice in enumerate(choices)}
    return [places[value] for value in values], [(places[each], shown_value(name, each)) for each in choices]
