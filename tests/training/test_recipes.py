"""Recipes: the published GLUE numbers, and what the user gives wins."""

from __future__ import annotations

from typing import Any

import pytest

from albertkit.datasets import DATASETS
from albertkit.tasks import TASKS
from albertkit.training import recipes
from albertkit.training.recipes import GLUE
from albertkit.training.settings import FinetuneSettings


def complete(given: FinetuneSettings, *, task: str = "classification", **model_and_data: Any) -> FinetuneSettings:
    return recipes.complete(given, task=TASKS[task], **model_and_data)[0]


def test_every_glue_task_has_its_recipe() -> None:
    assert sorted(GLUE) == sorted(name for name in DATASETS if name.startswith("glue/"))


# google-research/albert run_glue.sh: learning rate, batch size, steps, warm-up steps
@pytest.mark.parametrize(
    ("task", "rate", "batch", "steps", "warmup"),
    [
        ("cola", 1e-5, 16, 5336, 320),
        ("stsb", 2e-5, 16, 3598, 214),
        ("sst2", 1e-5, 32, 20935, 1256),
        ("mnli", 3e-5, 128, 10000, 1000),
        ("qnli", 1e-5, 32, 33112, 1986),
        ("qqp", 5e-5, 128, 14000, 1000),
        ("rte", 3e-5, 32, 800, 200),
        ("mrpc", 2e-5, 32, 800, 200),
    ],
)
def test_published_numbers(task: str, rate: float, batch: int, steps: int, warmup: int) -> None:
    done = complete(FinetuneSettings("albert-base-v2", f"glue/{task}", "o"), rows=10**5, nano=False)
    assert (done.learning_rate, done.batch_size, done.steps, done.epochs) == (rate, batch, steps, None)
    assert done.warmup is not None
    assert int(steps * done.warmup + 0.5) == warmup
    assert (done.max_length, done.optimizer, done.schedule, done.pooling) == (512, "adamw", "linear", "pooler")


# paper, table 14 (RACE: the README's rate for v2 models)
@pytest.mark.parametrize(
    ("data", "task", "expected"),
    [
        ("squad/v1", "question_answering", (5e-5, 48, 3649, 365, 384)),
        ("squad/v2", "question_answering", (3e-5, 48, 8144, 814, 512)),
        ("race", "multiple_choice", (1e-5, 32, 12000, 1000, 512)),
    ],
)
def test_published_numbers_of_passages(data: str, task: str, expected: tuple[float, int, int, int, int]) -> None:
    done = complete(FinetuneSettings("albert-base-v2", data, "o"), rows=10**5, nano=False, task=task)
    assert done.steps is not None
    assert done.warmup is not None
    found = (done.learning_rate, done.batch_size, done.steps, int(done.steps * done.warmup + 0.5), done.max_length)
    assert found == expected


@pytest.mark.parametrize(("task", "rows"), [("cola", 8551), ("stsb", 5749), ("rte", 2490), ("mrpc", 3668)])
def test_nano_takes_as_many_epochs_of_small_tasks_as_the_published_steps_make(task: str, rows: int) -> None:
    published = GLUE[f"glue/{task}"]
    done = complete(FinetuneSettings("albert-nano", f"glue/{task}", "o"), rows=10**5, nano=True)
    assert published.steps is not None
    assert done.epochs == round(published.steps * published.batch_size / rows)
    assert (done.steps, done.max_length, done.batch_size) == (None, 128, 32)


@pytest.mark.parametrize(
    ("task", "length"),
    [("classification", 128), ("token_classification", 128), ("question_answering", 384), ("multiple_choice", 512)],
)
@pytest.mark.parametrize("nano", [True, False])
def test_a_file_of_one_s_own_gets_the_length_of_its_task(task: str, length: int, nano: bool) -> None:
    assert complete(FinetuneSettings("m", "own.jsonl", "o"), rows=10**5, nano=nano, task=task).max_length == length


def test_what_the_user_gives_wins() -> None:
    given = FinetuneSettings(
        "m", "glue/rte", "o", learning_rate=1e-3, batch_size=4, epochs=2, warmup=0.0, max_length=9, optimizer="lamb"
    )
    done = complete(given, rows=10**5, nano=False)
    assert (done.learning_rate, done.batch_size, done.epochs, done.steps) == (1e-3, 4, 2, None)
    assert (done.warmup, done.max_length, done.optimizer) == (0.0, 9, "lamb")


@pytest.mark.parametrize(
    ("data", "nano", "given", "pooling"),
    [
        ("own.csv", True, None, "pair"),
        ("own.csv", False, None, "pair"),
        ("own.csv", True, "mean", "mean"),
        ("glue/mrpc", True, None, "pair"),
        ("glue/mrpc", False, None, "pooler"),  # the published recipe
    ],
)
def test_two_texts_are_read_as_a_pair(data: str, nano: bool, given: str | None, pooling: str) -> None:
    settings = FinetuneSettings("m", data, "o", pooling=given)
    assert complete(settings, rows=10**5, nano=nano, pairs=True).pooling == pooling


def test_a_frozen_encoder_trains_its_head_with_adam_at_one_rate() -> None:
    done = complete(FinetuneSettings("m", "imdb", "o", freeze_encoder=True), rows=10**5, nano=False)
    assert (done.optimizer, done.schedule, done.warmup, done.learning_rate) == ("adam", "constant", 0.0, 1e-3)


def test_nano_takes_a_higher_rate_than_a_pretrained_base() -> None:
    nano, base = (complete(FinetuneSettings("m", "imdb", "o"), rows=10**5, nano=nano) for nano in (True, False))
    assert nano.learning_rate is not None
    assert base.learning_rate is not None
    assert nano.learning_rate > base.learning_rate


def test_a_recipe_s_length_is_cut_to_the_positions() -> None:
    assert complete(FinetuneSettings("m", "glue/rte", "o"), rows=10**5, nano=False, positions=64).max_length == 64


@pytest.mark.parametrize(
    ("rows", "epochs", "patience"),
    [(4, 30, 5), (100, 30, 5), (300, 30, 5), (1000, 10, 5), (3200, 3, None), (10_000, 3, None)],
)  # 300 steps of 32 rows, at most 30 epochs, at least the recipe's three
def test_a_small_table_gets_enough_steps(rows: int, epochs: int, patience: int | None) -> None:
    done = complete(FinetuneSettings("albert-nano", "own.csv", "o"), nano=True, rows=rows)
    assert (done.epochs, done.steps, done.patience) == (epochs, None, patience)


def test_a_small_table_gets_the_epochs_and_the_patience_that_are_given() -> None:
    done = complete(FinetuneSettings("m", "own.csv", "o", epochs=2), nano=True, rows=100)
    assert (done.epochs, done.patience) == (2, None)
    assert complete(FinetuneSettings("m", "own.csv", "o", patience=9), nano=True, rows=100).patience == 9
    done = complete(FinetuneSettings("m", "own.csv", "o", steps=7), nano=True, rows=100)
    assert (done.epochs, done.steps, done.patience) == (None, 7, None)


@pytest.mark.parametrize(
    ("task", "pooling"),
    [("classification", "mean"), ("similarity", "mean"), ("token_classification", None), ("multiple_choice", "pooler")],
)
def test_heads_on_whole_texts_read_the_mean(task: str, pooling: str | None) -> None:
    done = complete(FinetuneSettings("m", "own.csv", "o"), nano=True, task=task, rows=100)
    assert done.pooling == pooling
    stsb = FinetuneSettings("albert-base-v2", "glue/stsb", "o", task="similarity")  # its recipe's head reads the pooler
    assert complete(stsb, nano=False, task="similarity", rows=5749).pooling == "mean"
    given = FinetuneSettings("m", "own.csv", "o", pooling="cls")
    assert complete(given, nano=True, rows=100).pooling == "cls"
