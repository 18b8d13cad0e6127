"""PretrainSettings: what is refused, and what the recipe fills in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from albertkit.config import PUBLISHED
from albertkit.errors import UsageError
from albertkit.training.pretraining.settings import PretrainSettings, resolve


def settings(**changes: Any) -> PretrainSettings:
    if "model" not in changes:
        changes.setdefault("config", "albert-nano")
    return PretrainSettings(data="shards", out="run", **changes)


def filled(
    *,
    name: str = "albert-nano",
    corpus_tokens: int = 10**7,
    shards_length: int = 512,
    processes: int = 1,
    **changes: Any,
) -> PretrainSettings:
    return resolve(
        settings(**changes),
        PUBLISHED[name],
        corpus_tokens=corpus_tokens,
        max_length=shards_length,
        processes=processes,
    ).settings


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"steps": 0}, "steps is 0; it must be 1 or more"),
        ({"tokens": 0.5}, "tokens is 0.5; it must be 1 or more"),
        ({"batch_tokens": 0}, "batch-tokens is 0"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"max_length": 7}, "max-length is 7; it must be 8 or more"),
        ({"eval_tokens": 0}, "eval-tokens is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, r"seed is 4294967296; it must be below 2\*\*32"),
        ({"weight_decay": -0.1}, "weight-decay is -0.1"),
        ({"clip_norm": -1.0}, "clip-norm is -1.0"),
        ({"warmup": 1.0}, "warmup is 1.0; it is a share, from 0 to below 1"),
        ({"held_out": -0.1}, "held-out is -0.1"),
        ({"short_share": 1.5}, "short-share is 1.5"),
        ({"cooldown": 0.0}, "cooldown is 0.0; it is a share above 0 and at most 1"),
        ({"eval_share": 1.1}, "eval-share is 1.1"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0; it must be above 0 and below 1"),
        ({"learning_rate": 1.0}, "learning-rate is 1.0"),
        ({"steps": 5, "tokens": 10.0}, "steps and tokens are both given"),
        ({"model": "m", "config": "albert-nano"}, "give --model .* or --config .*, one of them"),
        ({"config": None}, "give --model .* or --config .*, one of them"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        settings(**changes)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(UsageError, match=r"steps is 0.*; warmup is 2.*; learning-rate is 3"):
        settings(steps=0, warmup=2.0, learning_rate=3.0)


def test_the_bounds_themselves_can_be() -> None:
    settings(
        steps=1, max_length=8, warmup=0.0, held_out=0.0, cooldown=1.0, eval_share=1.0, clip_norm=0.0, seed=2**32 - 1
    )


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"steps": 17}, 17),
        ({"tokens": 4096 * 100.0}, 100),
        ({"tokens": 1.0}, 1),
        ({}, 2441),  # one pass over ten million tokens
        ({"accumulate": 4, "tokens": 4096 * 100.0}, 25),
        ({"batch_tokens": 8192, "processes": 2, "tokens": 4096 * 100.0}, 25),
    ],
)
def test_steps(changes: dict[str, Any], steps: int) -> None:
    assert filled(**changes).steps == steps
    assert filled(**changes).tokens is None  # once filled in, the steps count: filling in again changes nothing


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({}, 2e-3),
        ({"name": "albert-base-v2"}, 5e-4),
        ({"name": "albert-xxlarge-v2"}, 5e-5),
        ({"model": "m"}, 5e-4),
        ({"learning_rate": 0.007}, 0.007),
        ({"model": "m", "learning_rate": 0.007}, 0.007),
        # The paper's batch: 4096 sequences of 512 tokens; a batch of a 64th has an 8th of the rate.
        ({"optimizer": "lamb", "batch_tokens": 512, "accumulate": 4096}, 0.00176),
        ({"optimizer": "lamb", "batch_tokens": 32768}, 0.00022),
        ({"optimizer": "lamb", "batch_tokens": 16384, "processes": 2}, 0.00022),
    ],
)
def test_rates(changes: dict[str, Any], rate: float) -> None:
    assert filled(**changes).learning_rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("changes", "length", "stages"),
    [
        ({}, 512, "6x512:1"),
        ({"max_length": 128}, 128, "6x128:1"),
        ({"shards_length": 128}, 128, "6x128:1"),
        ({"shards_length": 1024}, 512, "6x512:1"),
        ({"shards_length": 128, "max_length": 256}, 256, "6x256:1"),
        ({"max_length": 128, "stages": "1x64:.5,6x64"}, 128, "1x64:.5,6x64"),
        ({"name": "albert-base-v2"}, 512, "12x512:1"),
    ],
)
def test_lengths(changes: dict[str, Any], length: int, stages: str) -> None:
    full = filled(**changes)
    assert (full.max_length, full.stages) == (length, stages)


def test_a_corpus_smaller_than_a_batch_gives_one_step() -> None:
    assert filled(corpus_tokens=9).steps == 1


def test_completing_twice_changes_nothing_and_json_holds_all() -> None:
    once = filled(tokens=1e6)
    again = resolve(once, PUBLISHED["albert-nano"], corpus_tokens=5, max_length=64, processes=3)
    assert again.settings == once
    assert PretrainSettings(**json.loads(json.dumps(once.to_dict()))) == once
