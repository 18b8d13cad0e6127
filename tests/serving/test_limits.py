"""Limits that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from albertkit.errors import UsageError
from albertkit.serving.limits import Limits


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_tokens": 0}, "--batch-tokens is 0; it must be above 0"),
        ({"queue": -1}, "--queue is -1"),
        ({"deadline": float("nan")}, "--deadline is nan"),
        ({"deadline": float("inf")}, "--deadline is inf"),
        ({"batch_wait": -1}, "--batch-wait is -1; it is 0 to 1000 milliseconds"),
    ],
)
def test_they_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Limits(**changes)


def test_no_wait_at_all_can_be() -> None:
    assert Limits(batch_wait=0).batch_wait == 0
