"""A search drives `finetune`, continues, is shared, and reports what its trials reached on the validation split."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import keyword_rows, settings, write_csv

from albertkit.errors import RunError, UsageError
from albertkit.evaluation.report import Report
from albertkit.io.files import WriteError
from albertkit.training.tuning.plot import plot_search, search_figure
from albertkit.training.tuning.report import TrialRecord, ranked
from albertkit.training.tuning.space import Space, complete_space
from albertkit.training.tuning.tune import TuneSettings, tune

optuna = pytest.importorskip("optuna")

SPACE = Space(learning_rate=(1e-3, 2e-2), epochs=(1, 2), pooling=("mean", "cls"), max_length=(16,))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("tuned") / "keywords.csv", keyword_rows(48))


def search(table: Path, out: Path, *, trials: int = 3, space: Space = SPACE, **more: Any) -> TuneSettings:
    base = settings(table, out, epochs=None, learning_rate=None, max_length=None, validation=0.25, **more)
    return TuneSettings(base=base, space=space, trials=trials)


def test_a_search_continues_and_its_numbers_are_those_of_its_runs(table: Path, tmp_path: Path) -> None:
    first = tune(search(table, tmp_path / "s", trials=2))
    assert [trial.state for trial in first.trials] == ["complete"] * 2
    report = tune(search(table, tmp_path / "s", trials=4))
    assert list(report.trials[:2]) == list(first.trials)
    assert len(report.trials) == 4
    assert json.loads((tmp_path / "s" / "tune.json").read_text()) == json.loads(json.dumps(report.to_dict()))
    complete = [trial for trial in report.trials if trial.state == "complete"]
    for trial in complete:
        run = Report.read(tmp_path / "s" / f"trial-{trial.number:03d}")
        assert run.best_epoch is not None
        assert trial.value == round(run.epochs[run.best_epoch - 1]["validation"]["accuracy"] or 0, 4)
        assert {name: run.command[name] for name in trial.settings} == trial.settings
    assert report.best["value"] == max(trial.value or 0 for trial in complete)
    kept = [path.parent.name for path in (tmp_path / "s").glob("*/model")]
    assert kept == [f"trial-{report.best['number']:03d}"]
    assert report.searched == ("learning_rate", "epochs", "pooling", "freeze_encoder")
    assert (tmp_path / "s" / "search.png").read_bytes().startswith(b"\x89PNG")
    assert f"--learning-rate {report.best['settings']['learning_rate']}" in report.command
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.load_study(study_name="albertkit", storage=f"sqlite:///{tmp_path / 's' / 'study.db'}")
    assert study.best_value == pytest.approx(report.best["value"], abs=1e-4)
    with pytest.raises(RunError, match=r"continues with the settings it started with; batch_size was 16 and is 8"):
        tune(search(table, tmp_path / "s", batch_size=8))


def test_a_trial_that_is_worse_than_the_others_is_pruned(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optuna.trial.Trial.should_prune", lambda trial: trial.number == 1)
    report = tune(search(table, tmp_path / "s", trials=2))
    assert [trial.state for trial in report.trials] == ["complete", "pruned"]
    assert report.trials[1].epochs == 1
    assert not (tmp_path / "s" / "trial-001" / "report.json").exists()


def test_a_stopped_trial_is_made_again(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr("albertkit.training.tuning.tune.finetune", stop)
        with pytest.raises(KeyboardInterrupt):
            tune(search(table, tmp_path / "s", trials=1))
    report = tune(search(table, tmp_path / "s", trials=1))
    assert [trial.state for trial in report.trials] == ["failed", "complete"]


def test_a_space_is_completed_from_the_recipe(table: Path, tmp_path: Path) -> None:
    found = complete_space(search(table, tmp_path).base, Space())
    assert found.rates[False] == pytest.approx((5e-4 / 4, 5e-4 * 4))
    assert found.pooling == ("mean", "pooler", "cls")
    assert found.freeze_encoder == (False, True)
    assert found.recipe["pooling"] == "mean"
    first = found.first()
    trial = optuna.trial.FixedTrial(first)
    assert found.suggested(trial) == found.recipe
    fixed = complete_space(search(table, tmp_path).base, Space(learning_rate=(1e-3, 1e-3), freeze_encoder=(True,)))
    assert fixed.searched == ("epochs", "pooling", "max_length")


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"learning_rate": (1e-2, 1e-3)}, "learning-rate is 0.01:0.001; give LOW:HIGH"),
        ({"epochs": (0, 3)}, "epochs is 0:3"),
        ({"pooling": ("max",)}, 'pooling is "max"; it must be'),
    ],
)
def test_bounds_that_cannot_be(space: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Space(**space)


def test_a_store_that_cannot_be_written(table: Path, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "study.db").write_text("not a database, but long enough to be one" * 99)
    with pytest.raises(WriteError, match=r"study.db: cannot be used \(.*file is not a database"):
        tune(search(table, tmp_path / "s"))


def trial(number: int, value: float | None, state: str, **chosen: Any) -> TrialRecord:
    return TrialRecord(number, chosen, value, state)


def test_the_picture_has_an_axis_per_setting_and_a_line_per_trial(tmp_path: Path) -> None:
    trials = [
        trial(
            n, 50.0 + n, "pruned" if n == 2 else "complete", learning_rate=10.0**-n, pooling="mean" if n % 2 else "cls"
        )
        for n in range(1, 7)
    ]
    trials.append(trial(9, None, "failed"))
    names = ("learning_rate", "pooling")
    figure = search_figure(trials, names, metric="accuracy", importance={"pooling": 0.75, "learning_rate": 0.25})
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == [
        "pooling\n75% of the differences",
        "learning rate\n25% of the differences",
        "validation\naccuracy, %",
    ]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 3]  # the others are axes and the legend's
    assert len(lines) == 6
    heights = sorted(line.get_ydata()[1] for line in lines)
    assert heights == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])  # decades are equally far apart
    assert plot_search(trials, names, path=tmp_path / "a.png", metric="accuracy", importance={}).is_file()
    assert [each.number for each in ranked(trials)][:2] == [6, 5]
    assert ranked(trials)[-1].number == 9
