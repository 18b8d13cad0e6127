"""Invalid limits."""

from __future__ import annotations

from typing import Any

import pytest

from albertkit.errors import UsageError
from albertkit.serving.limits import Limits
from albertkit.serving.refusals import Refusal


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


@pytest.mark.parametrize(
    ("texts", "characters"),
    [
        (["a" * 7, "word"], 11),
        (["caf\u00e9"], 5),  # NFKD takes the accent off
        (["\ufdfa" * 3], 54),
        (["\ud55c\uad6d"], 6),  # syllables of three letters
        (["\u0323\u0301" * 100], 200),
        ([], 0),
    ],
)
def test_characters_are_those_of_nfkd(texts: list[str], characters: int) -> None:
    assert Limits().check_texts({"text": texts}) == characters
    assert Limits().check_texts({"text": texts, "pair": texts}) == 2 * characters


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"text": ["a"] * 5}, 422, '"text" holds 5 texts and the limit per request is 4'),
        ({"context": ["a" * 201]}, 422, 'the "context" has 201 characters; the limit is 200'),
        ({"text": ["a", "\ufdfa" * 12]}, 422, 'text 1 of "text" has more than the 200 characters .*NFKD'),
        ({"text": ["a" * 180] * 2, "pair": ["a" * 180] * 2}, 413, "more than 600 characters .*; send several requests"),
        ({"text": ["\ufdfa" * 11] * 4}, 413, "the texts have more than 600 characters"),
    ],
)
def test_texts_that_are_too_long(fields: dict[str, list[str]], status: int, words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        Limits(max_texts=4, max_characters=200, max_body=600).check_texts(fields)
    assert refused.value.status == status
