"""Settings: JSON and back, and every value that cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import albertkit
from albertkit.errors import UsageError
from albertkit.training.settings import FinetuneSettings


def test_json_and_back() -> None:
    settings = FinetuneSettings("m", "d", "o", head_hidden=(30, 8), learning_rate=3e-5, limit=7)
    written = json.loads(json.dumps(settings.to_dict()))
    assert FinetuneSettings.from_dict(written) == settings
    assert FinetuneSettings.from_dict({**written, "of_another_version": 1}) == settings
    assert written.pop("pooling") is None  # which an older version did not write
    assert FinetuneSettings.from_dict(written) == settings


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 0}, "epochs is 0; it must be 1 or more"),
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": 0}, "batch-size is 0"),
        ({"batch_tokens": 0}, "batch-tokens is 0"),
        ({"limit": 0}, "limit is 0"),
        ({"max_length": 2}, "max-length is 2; it must be 3 or more"),
        ({"patience": 0}, "patience is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "it must be below 2\\*\\*32"),
        ({"weight_decay": -0.1}, "weight-decay is -0.1"),
        ({"clip_norm": -1}, "clip-norm is -1"),
        ({"weight_decay": float("nan")}, "weight-decay is nan"),
        ({"clip_norm": float("inf")}, "clip-norm is inf"),
        ({"save_seconds": float("nan")}, "save-seconds is nan"),
        ({"save_seconds": -1}, "save-seconds is -1"),
        ({"learning_rate": 0.0}, "learning-rate is 0.0; it must be above 0 and below 1000"),
        ({"learning_rate": -1e-5}, "learning-rate is -1e-05"),
        ({"learning_rate": float("nan")}, "learning-rate is nan"),
        ({"warmup": 1.0}, "warmup is 1.0"),
        ({"epochs": 1, "steps": 1}, "epochs and steps are both given"),
        ({"validation": 0.1, "validation_split": "dev"}, "are both given"),
    ],
)
def test_a_value_that_cannot_be_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        FinetuneSettings("m", "d", "o", **values)
    assert "\n" not in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UsageError, match=r"epochs is 0.*; limit is 0.*; learning-rate is 0"):
        FinetuneSettings("m", "d", "o", epochs=0, limit=0, learning_rate=0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: FinetuneSettings("m", "d", "o", epocs=3),
            'FinetuneSettings has no setting "epocs"; did you mean "epochs"?',
        ),
        (
            lambda: albertkit.PretrainSettings(data="d", out="o", config="c", token=5),
            'PretrainSettings has no setting "token"; did you mean "tokens"?',
        ),
        (
            lambda: albertkit.AlbertClassifier(epocs=3),
            'AlbertClassifier has no setting "epocs"; did you mean "epochs"?',
        ),
        (
            lambda: albertkit.AlbertEmbedder(poling="cls"),
            'AlbertEmbedder has no setting "poling"; did you mean "pooling"?',
        ),
        (lambda: albertkit.AlbertRegressor(qqq=1), 'AlbertRegressor has no setting "qqq" (known: '),
    ],
)
def test_a_misspelt_setting_is_named_with_the_nearest(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        make()
    assert str(raised.value).startswith(words)
    assert isinstance(raised.value, TypeError)
