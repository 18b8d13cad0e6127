"""Pictures: what they say (read off the Figure) and that a PNG is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from albertkit.errors import DataError, UsageError
from albertkit.evaluation.plots import (
    confusion_figure,
    history_figure,
    plot_confusion,
    plot_history,
    plot_reliability,
    plot_runs,
    reliability_figure,
    runs_figure,
)
from albertkit.evaluation.report import Report
from albertkit.scoring.calibration import calibration

MakeReport = Callable[..., Report]


def legends(figure: Any) -> list[list[str]]:
    return [[text.get_text() for text in legend.get_texts()] for legend in figure.legends]


def legends_inside(figure: Any) -> bool:
    figure.canvas.draw()
    edges = figure.bbox
    boxes = [legend.get_window_extent() for legend in figure.legends]
    return all(box.x0 >= -1 and box.y0 >= -1 and box.x1 <= edges.x1 + 1 and box.y1 <= edges.y1 + 1 for box in boxes)


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") and not list(path.parent.glob(".*"))


def test_history_shows_both_splits_and_the_kept_epoch(make_report: MakeReport, tmp_path: Path) -> None:
    epochs = make_report(5).epochs
    figure = history_figure(epochs, best_epoch=4)
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel(), loss.get_xlabel()) == ("loss", "accuracy, %", "epoch")
    assert legends(figure) == [["training", "validation", "kept: epoch 4"]]
    train, validation, kept = accuracy.lines
    assert list(train.get_ydata()) == [epoch["train"]["accuracy"] for epoch in epochs]
    assert list(validation.get_ydata()) == [epoch["validation"]["accuracy"] for epoch in epochs]
    assert (list(kept.get_xdata()), list(kept.get_ydata())) == ([4], [epochs[3]["validation"]["accuracy"]])
    assert legends_inside(figure)
    assert is_png(plot_history(epochs, path=tmp_path / "plots" / "history.png", best_epoch=4))


def test_a_single_epoch_has_markers_and_missing_numbers_are_gaps(make_report: MakeReport, tmp_path: Path) -> None:
    figure = history_figure(make_report(1).epochs, best_epoch=1)
    assert all(line.get_marker() == "o" for axes in figure.axes for line in axes.lines)
    assert [tick for tick in figure.axes[0].get_xticks() if 0.7 < tick < 1.3] == [1.0]
    epochs = [{"train": {"loss": None}, "validation": {"accuracy": 50.0}}, {"train": {"loss": 1.0}}]
    path = plot_history(epochs, path=tmp_path / "gaps.png", best_epoch=2)
    assert is_png(path)
    assert math.isnan(history_figure(epochs).axes[0].lines[0].get_ydata()[0])


def test_no_epochs_are_refused() -> None:
    with pytest.raises(UsageError, match="0 epochs"):
        history_figure([])


def test_accuracy_ticks_end_at_100(make_report: MakeReport) -> None:
    epochs = [{split: {"loss": 0.1, "accuracy": 100.0} for split in ("train", "validation")}] * 3
    assert max(history_figure(epochs).axes[1].get_yticks()) == 100
    assert min(history_figure(make_report(100).epochs).axes[1].get_xlim()) > 0


def test_runs_have_a_colour_each_solid_for_validation(make_report: MakeReport, tmp_path: Path) -> None:
    reports = {"_frozen $5": make_report(3), "tuned": make_report(4)}
    figure = runs_figure(reports)
    assert legends(figure) == [["_frozen $5", "tuned"], ["validation", "training", "kept epoch"]]
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "accuracy, %")
    lines = [line for line in axes.lines if len(line.get_xdata()) > 1]
    assert [line.is_dashed() for line in lines] == [True, False, True, False]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    assert list(lines[3].get_ydata()) == [epoch["validation"]["accuracy"] for epoch in reports["tuned"].epochs]
    assert is_png(plot_runs(reports, path=tmp_path / "runs.png"))


def test_a_short_run_beside_a_long_one_keeps_its_width(make_report: MakeReport) -> None:
    figure = runs_figure({"long": make_report(100), "short": make_report(10)})
    axes = figure.axes[0]
    assert axes.get_xlabel() == "epoch (logarithmic)"
    figure.canvas.draw()
    start, end, edge = (axes.transData.transform((epoch, 50))[0] for epoch in (1, 10, 100))
    assert (end - start) / (edge - start) == pytest.approx(0.5)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "5", "10", "20", "50", "100"]


def test_many_long_names_stay_inside_and_look_different(make_report: MakeReport) -> None:
    reports = {f"experiments/{'learning-rate-' * 4}{number}": make_report(3) for number in range(9)}
    figure = runs_figure(reports)
    assert legends(figure)[0] == list(reports)
    assert legends_inside(figure)
    solid = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3 and not line.is_dashed()]
    assert len({(line.get_color(), line.get_marker()) for line in solid}) == 9


def test_runs_that_share_no_axis_are_refused(make_report: MakeReport) -> None:
    with pytest.raises(UsageError, match=r"different main metrics .*\(one: accuracy, two: mcc\)"):
        runs_figure({"one": make_report(), "two": make_report(metrics={"mcc": 10.0})})
    with pytest.raises(UsageError, match="nothing to plot for two: the report holds no epochs"):
        runs_figure({"one": make_report(), "two": make_report(0)})
    with pytest.raises(UsageError, match="name at least one run"):
        runs_figure({})


def test_confusion_cells_hold_counts_and_shares(tmp_path: Path) -> None:
    figure = confusion_figure([[3, 1], [0, 0]], labels=["negative", "$pos$"])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3\n75 %", "1\n25 %", "0", "0"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["negative", "$pos$"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted label", "true label")
    assert is_png(plot_confusion([[3, 1], [0, 0]], labels=["negative", "$pos$"], path=tmp_path / "confusion.png"))


def test_labels_in_any_script_do_not_warn(tmp_path: Path) -> None:
    assert is_png(plot_confusion([[1]], labels=["\u8bc4\u8bba"], path=tmp_path / "zh.png"))


def test_a_confusion_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match="of 3 labels needs 3 rows and columns, not 2 rows"):
        confusion_figure([[1, 0], [0, 1]], labels=["a", "b", "c"])


def test_reliability_draws_filled_bins_and_the_error(tmp_path: Path) -> None:
    found = calibration([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7]], labels_true=[0, 1, 1], num_bins=5)
    figure = reliability_figure(found)
    upper, lower = figure.axes
    assert [bar.get_height() for bar in upper.patches] == [100.0, 50.0]
    assert [round(bar.get_height(), 1) for bar in lower.patches] == [33.3, 66.7]
    error, few = upper.get_title(loc="left").split("\n")
    assert error == "expected calibration error 36.7 points, 3 examples"
    assert few == "too few examples to judge the calibration"
    ends = upper.collections[0].get_segments()
    assert [line[0][0] for line in ends] == pytest.approx([70.0, 90.0])
    assert ends[0][0][1] < 25  # one example, right: the accuracy may be anything above 20 %
    assert legends(figure) == [["accuracy", "at mean confidence", "95 % interval", "perfect"]]
    assert is_png(plot_reliability(found, path=tmp_path / "reliability.png"))


def test_reliability_before_and_after_a_temperature(tmp_path: Path) -> None:
    before = calibration([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7]], labels_true=[0, 1, 1], num_bins=5)
    after = calibration([[0.7, 0.3], [0.7, 0.3], [0.4, 0.6]], labels_true=[0, 1, 1], num_bins=5)
    figure = reliability_figure(after, before=before)
    upper, lower = figure.axes
    _, dashed, solid = upper.lines
    assert [list(map(round, line.get_xdata())) for line in (dashed, solid)] == [[70, 90], [60, 70]]
    assert [list(map(round, line.get_ydata())) for line in (dashed, solid)] == [[100, 50], [100, 50]]
    assert [round(bar.get_height(), 1) for bar in lower.patches] == [33.3, 66.7, 33.3, 66.7]
    assert "(before: 36.7), 3 examples" in upper.get_title(loc="left")
    assert legends(figure) == [["before", "calibrated", "95 % interval", "perfect"]]
    assert is_png(plot_reliability(after, before=before, path=tmp_path / "reliability.png"))


def test_other_formats_are_refused(make_report: MakeReport, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"runs\.jpg: pictures are written as PNG"):
        plot_runs({"one": make_report()}, path=tmp_path / "runs.jpg")
