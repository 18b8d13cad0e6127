"""The verdict on a run: a training that got nowhere is found, and the advice fits what the run did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.tiny import keyword_rows, settings, write_csv

from albertkit.evaluation.report import Report
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings
from albertkit.training.verdict import RunFacts, advice_for, stuck_at


def test_a_loss_that_stays_at_that_of_one_answer_is_found() -> None:
    epochs = [{"train": {"loss": 0.70}}, {"train": {"loss": 0.69}}]
    found = stuck_at(epochs, reference=0.6931)
    assert found is not None
    assert found.startswith("The training loss is stuck at 0.690: a constant prediction has 0.693")
    assert stuck_at([*epochs, {"train": {"loss": 0.5}}], reference=0.6931) is None
    assert stuck_at(epochs, reference=0.0) is None
    assert stuck_at([], reference=0.6931) is None


def facts(**changes: Any) -> RunFacts:
    """A run of nano on 700 sentences with the defaults for tags, whose loss falls to the end."""
    chosen = {
        "settings": FinetuneSettings("m", "d", "o", epochs=3, batch_size=32, learning_rate=1e-4),
        "rows": 700,
        "classes": 0,
        "pools": False,
        "is_small": True,
        "losses": (1.5, 1.2, 1.0),
        "best_epoch": 3,
        "is_stuck": False,
    }
    return RunFacts(**{**chosen, **changes})


LARGE = {"rows": 10_000, "classes": 2, "pools": True}  # 939 steps


@pytest.mark.parametrize(
    ("changes", "first", "others"),
    [
        (
            {},
            "the loss was still falling in the last epoch: train longer (--epochs 14)",
            ["a higher learning rate (--learning-rate 0.0003)", "a larger model (--model albert-base-v2)"],
        ),
        ({"losses": (1.5, 1.0, 0.99)}, "only 66 training steps: train longer", ["--learning-rate 0.0003"]),
        ({"losses": (1.5,)}, "only 22 training steps: train longer", []),
        ({"is_stuck": True}, "the loss was still falling", ["a higher learning rate (--learning-rate 0.0003)"]),
        (
            {"is_stuck": True, "losses": (1.5, 1.5, 1.49)},
            "only 66 training steps: train longer (--epochs 14)",
            ["another learning rate (--learning-rate 0.0003 or 3e-05)"],
        ),
        (LARGE, "the loss was still falling in the last epoch: train longer (--epochs 12)", ["--learning-rate 0.0003"]),
        ({**LARGE, "is_small": False}, "the loss was still falling", ["(--pooling mean)"]),
        (
            {**LARGE, "best_epoch": 1},
            "mean pooling (--pooling mean)",
            ["epoch 1 of 3 was the best: more epochs will not help; more rows may"],
        ),
        (
            {"settings": FinetuneSettings("m", "d", "o", freeze_encoder=True, pooling="mean", epochs=3), **LARGE},
            "the loss was still falling",
            ["train the encoder too (leave out --freeze-encoder)"],
        ),
        (
            {"rows": 150, "classes": 2, "pools": True, "settings": FinetuneSettings("m", "d", "o", pooling="mean",
             epochs=100, batch_size=8, learning_rate=1e-3)},
            "75 rows per class are few: use --few-shot",
            [],
        ),
        (
            {"rows": 32, "classes": 2, "pools": True},
            "16 rows per class are few: use --few-shot",
            ["the loss was still falling in the last epoch: train longer (--epochs 300)", "a higher learning rate"],
        ),
        (
            {"settings": FinetuneSettings("m", "d", "o", pooling="mean"), "rows": 10_000, "classes": 2, "pools": True,
             "is_small": False, "losses": (1.0, 0.999), "best_epoch": 2},
            "more labelled rows",
            [],
        ),
        (
            {"settings": FinetuneSettings("m", "d", "o", steps=50, batch_size=32, learning_rate=1e-3)},
            "the loss was still falling in the last epoch: train longer (--steps 200)",
            [],
        ),
    ],
)  # fmt: skip
def test_the_advice_fits_the_run(changes: dict[str, Any], first: str, others: list[str]) -> None:
    if changes.get("rows") == 150:
        changes = {**changes, "losses": (1.0,) * 99 + (0.999,)}
    if "settings" not in changes and changes.get("pools"):
        changes = {**changes, "settings": replace(facts().settings, pooling="pooler")}
    found = advice_for(facts(**changes))
    assert found[0].startswith(first)
    assert len(found) <= 3
    for other in others:
        assert any(other in advice for advice in found[1:]), found


def test_advice_is_never_a_higher_rate_for_one_that_is_high_already() -> None:
    high = replace(facts().settings, learning_rate=1e-3)
    assert not any("higher learning rate" in advice for advice in advice_for(facts(settings=high)))
    assert not any("higher learning rate" in advice for advice in advice_for(facts(is_small=False)))


def test_a_run_without_steps_to_speak_of_loses_to_word_counts(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "data.csv", keyword_rows(200))
    report = finetune(
        settings(data, tmp_path / "run", baseline=True, steps=2, epochs=None, learning_rate=1e-5, test=0.5)
    )
    verdict = report.verdict
    assert verdict is not None
    assert verdict.outcome in ("worse", "stuck")
    assert verdict.baseline == "tfidf_logistic_regression"
    assert verdict.difference == pytest.approx(
        report.metrics["accuracy"] - report.baselines[1].metrics["accuracy"], abs=0.01
    )
    assert verdict.advice[0] == "40 rows per class are few: use --few-shot"
    assert verdict.advice[1].endswith("train longer (--steps 8)")
    assert Report.read(tmp_path / "run").verdict == verdict
    assert not any("stuck" in note for note in report.notes)


def test_tags_that_are_all_o_get_advice(tmp_path: Path) -> None:
    lines = [f"the\tO\n{name}\tB-PER\nwas\tO\nhere\tO\n" for name in ("Ann", "Bob", "Eve", "Tom", "Mia", "Max")]
    data = tmp_path / "names.conll"
    data.write_text("\n".join(lines * 100))
    report = finetune(settings(data, tmp_path / "run", epochs=1, learning_rate=1e-6))
    verdict = report.verdict
    assert verdict is not None
    assert verdict.outcome in ("stuck", "worse")
    assert verdict.advice[0].startswith("only ")
