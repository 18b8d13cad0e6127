"""Lines, axes, legends and files of every picture: one look, colours that the colour-blind can tell apart.

pyplot and its global state are never touched; figures are drawn by Agg, so no display is needed.
"""

from __future__ import annotations

import io
import itertools
import math
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.errors import UsageError
from albertkit.io.files import atomic_file
from albertkit.io.html import Html
from albertkit.scoring.intervals import share_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from albertkit.evaluation.report import EpochScores
    from albertkit.scoring.calibration import Calibration

# Okabe and Ito's palette without its yellow, which is too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#444444")
"""Told apart with every common colour blindness; beyond seven runs the marker changes too."""

MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#333333"
GRID = "#E3E3E3"
_MARKED_POINTS = 25  # up to so many epochs, each has its marker
_LOG_RATIO = 4  # a run so many times longer than another gets a logarithmic axis, or the short one is a smudge
_DPI = 160
_PAGE_COLOURS = {INK: "ink", "#888888": "faint", "#999999": "faint", GRID: "line", "#ffffff": "paper"}
"""Colour of a figure -> the name of the page's colour (`io.html`) that takes its place."""
_numbers = itertools.count(1)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, drawn by Agg whatever MPLBACKEND says."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(wspace=0.06)
    figure = Figure(figsize=(width, height), dpi=_DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def curve(epochs: Sequence[EpochScores], *, split: str, name: str) -> list[float]:
    """Return one number per epoch; NaN, which a line leaves out, where the report holds none."""
    values = (epoch.get(split, {}).get(name) for epoch in epochs)
    return [float("nan") if value is None else float(value) for value in values]


def draw_line(axes: Axes, values: Sequence[float], *, colour: str, dashed: bool, marker: str = "o") -> Any:
    """Draw values over epochs 1, 2, ...: validation solid, training dashed; return the line."""
    # A value between two gaps (or a single epoch) would be invisible without its marker.
    marked = len(values) <= _MARKED_POINTS or sum(map(math.isfinite, values)) <= _MARKED_POINTS
    return axes.plot(
        range(1, len(values) + 1),
        values,
        color=colour,
        linestyle=(0, (4, 2)) if dashed else "-",
        linewidth=1.3 if dashed else 1.9,
        alpha=0.75 if dashed else 1.0,
        marker=marker if marked else None,
        markersize=3.5 if dashed else 5,
        markerfacecolor="white" if dashed else colour,
        markeredgecolor=colour,
        zorder=2 if dashed else 3,
    )[0]


def mark_point(axes: Axes, epoch: int, value: float, *, colour: str, marker: str = "o") -> Any:
    """Draw a ring around the point of the kept epoch and return it."""
    return axes.plot(
        [epoch], [value], linestyle="none", marker=marker, markersize=11, markerfacecolor="none",
        markeredgecolor=colour, markeredgewidth=1.6, zorder=4,
    )[0]  # fmt: skip


def draw_bins(axes: Axes, calibration: Calibration, *, colour: str, shares: bool = False, outline: bool = False) -> Any:
    """Draw a bar for each bin that holds examples and return the bars.

    Args:
        axes: where.
        calibration: the bins.
        colour: colour of the bars, or of their outline.
        shares: the height is the bin's share of the examples in percent instead of its accuracy.
        outline: leave the bars empty, so that those behind are seen.
    """
    filled = [entry for entry in calibration.bins if entry.examples]
    total = max(sum(entry.examples for entry in filled), 1)
    return axes.bar(
        [(entry.lower + entry.upper) / 2 for entry in filled],
        [100 * entry.examples / total if shares else entry.accuracy or 0.0 for entry in filled],
        width=calibration.bins[0].upper - calibration.bins[0].lower,
        color="none" if outline else colour,
        edgecolor=colour if outline else "white",
        linestyle=(0, (4, 2)) if outline else "-",
        zorder=3 if outline else 2,
    )


def draw_intervals(axes: Axes, calibration: Calibration) -> Any:
    """Draw the 95 % interval of each bin's accuracy as a vertical line and return the lines."""
    filled = [entry for entry in calibration.bins if entry.examples]
    ends = [share_interval(entry.accuracy or 0.0, entry.examples) for entry in filled]
    places = [entry.confidence or 0.0 for entry in filled]
    return axes.vlines(places, *zip(*ends, strict=True), color=INK, linewidth=0.9, zorder=3)


def draw_reliability(axes: Axes, calibration: Calibration, *, colour: str, dashed: bool | None = None) -> Any:
    """Draw each bin's accuracy over its mean confidence: only points, or points on a solid or dashed line."""
    filled = [entry for entry in calibration.bins if entry.examples]
    return axes.plot(
        [entry.confidence or 0.0 for entry in filled],
        [entry.accuracy or 0.0 for entry in filled],
        linestyle="none" if dashed is None else ((0, (4, 2)) if dashed else "-"),
        color=colour,
        linewidth=1.9,
        marker="o",
        markersize=4.5,
        markerfacecolor="white" if dashed else colour,
        markeredgecolor="white" if dashed is None else colour,
        zorder=4,
        clip_on=False,
    )[0]


def key_line(axes: Axes, *, dashed: bool) -> Any:
    """Return a line that is only for the legend."""
    return axes.plot([], [], color=INK, linestyle=(0, (4, 2)) if dashed else "-", linewidth=1.5)[0]


def key_mark(axes: Axes) -> Any:
    """Return a ring that is only for the legend."""
    return axes.plot([], [], linestyle="none", marker="o", markersize=9, markerfacecolor="none", markeredgecolor=INK)[0]


def epoch_axis(axes: Axes, lengths: Iterable[int]) -> None:
    """Scale the epoch axis for runs of these lengths; logarithmic where a short run would be a smudge."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

    lengths = sorted(lengths)
    longest = lengths[-1]
    if longest >= _LOG_RATIO * lengths[0] and longest > 10:
        axes.set_xscale("log")
        steps = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
        axes.xaxis.set_major_locator(FixedLocator([step for step in steps if step <= longest]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_xlim(0.93, longest * 1.07)
        return
    margin = max(0.03 * (longest - 1), 0.25)
    axes.set_xlim(1 - min(margin, 0.9), longest + margin)  # short of 0: there is no such epoch
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def value_limits(axes: Axes, curves: Iterable[Sequence[float]], *, name: str) -> None:
    """Leave room around the values; a flat curve gets a readable scale."""
    values = [value for curve in curves for value in curve if math.isfinite(value)]
    if not values:
        axes.text(0.5, 0.5, f"no {name} recorded", transform=axes.transAxes, ha="center", color=INK, fontsize=9)
        axes.set_yticks([])
        return
    low, high = min(values), max(values)
    least = 5.0 if name != "loss" else 0.05  # the smallest range shown, or noise would look like a trend
    room = max(0.06 * (high - low), (least - (high - low)) / 2)
    axes.set_ylim(low - room, high + room)
    if name != "loss" and high <= 100:
        axes.set_yticks([tick for tick in axes.get_yticks() if low - room <= tick <= min(high + room, 100)])


def style_axes(axes: Axes, *, x: str, y: str, grid: bool = True) -> None:
    """Set the labels of the axes and the common style."""
    axes.set_xlabel(x, color=INK, fontsize=9.5)
    axes.set_ylabel(y, color=INK, fontsize=9.5)
    axes.tick_params(labelsize=8.5, colors=INK, length=3, width=0.7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#999999")
    axes.set_axisbelow(True)
    if grid:
        axes.grid(visible=True, color=GRID, linewidth=0.8)


def add_legend(figure: Figure, handles: Sequence[Any], names: Sequence[str], *, loc: str, columns: int) -> None:
    """Put a legend outside the axes, its texts exactly as given."""
    # matplotlib hides names that start with "_" and reads "$" as mathematics, so the texts are put in afterwards.
    legend = figure.legend(
        handles, [f"{number}" for number in range(len(names))], loc=loc, ncols=columns, frameon=False, fontsize=9
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
        text.set_color(INK)


def add_title(figure: Figure, title: str) -> None:
    """Put a title above the figure, if there is one."""
    if title:
        text = figure.suptitle(title, fontsize=11, color=INK)
        text.set_parse_math(False)


def svg(figure: Figure, *, label: str) -> Html:
    """Return a figure as an SVG element for a page: its texts stay texts, its ink and grid follow the page's colours.

    Ids differ from one figure to the next, so that several can be on a page.

    Args:
        figure: the figure.
        label: what it shows, for those who cannot see it.
    """
    from matplotlib import rc_context

    target = io.StringIO()
    name = f"f{next(_numbers)}-"
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(target, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.05, metadata=nothing)
    drawn = target.getvalue()
    opened = f'<svg role="img" aria-label="{escape(label)}"'
    drawn = opened + drawn[drawn.index("<svg") + len("<svg") :].replace("\n", " ")
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn)
    drawn = re.sub(r' (width|height)="[\d.]+pt"', "", drawn, count=2)
    drawn = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}", drawn)
    drawn = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font: \1 system-ui, sans-serif", drawn)
    for colour, variable in _PAGE_COLOURS.items():
        drawn = re.sub(f"(?<=: ){colour}", f"var(--{variable})", drawn, flags=re.IGNORECASE)
    return Html(drawn)


def write_png(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG atomically and return its path.

    Raises:
        UsageError: the name does not end in .png.
        WriteError: the system refused.
    """
    if Path(path).suffix.lower() != ".png":
        raise UsageError(f"{path}: pictures are written as PNG; give a name that ends in .png")
    with atomic_file(path) as temporary, warnings.catch_warnings():
        # A label in a script that the bundled font lacks is drawn as boxes; that is no reason to stop or to warn.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(temporary, format="png", bbox_inches="tight", pad_inches=0.12)
    return Path(path)
