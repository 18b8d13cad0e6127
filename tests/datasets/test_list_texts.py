"""Lists written as text: what Python, NumPy, pandas and JSON write comes back; nothing is run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from albertkit.datasets.list_texts import is_list_text, parse_list

LISTS: list[list[str]] = [["sport"], ["sport", "money"], [], ["it's", 'a "b"', "c, d"], ["a\\b", "\u65e5\n"], ["'"]]


@pytest.mark.parametrize("items", LISTS)
def test_what_is_written_comes_back(items: list[str]) -> None:
    for text in (repr(items), json.dumps(items), f" {items} ", repr([np.str_(item) for item in items])):
        assert is_list_text(text)
        assert parse_list(text) == items
    assert parse_list(repr(tuple(items))) == items
    array = np.array(items, dtype=object)
    assert parse_list(str(array)) == items
    for text in (repr(array), f"np.{array!r}", repr(np.array(items))):
        assert is_list_text(text)
        assert parse_list(text) == items


def test_numbers_truth_values_and_gaps() -> None:
    assert parse_list("[1, -2.5, 1e3, True, False, None, nan]") == [1, -2.5, 1000.0, True, False, None, None]
    assert parse_list(str(np.array([0, 1, 0]))) == [0, 1, 0]
    assert parse_list(repr(np.array([0, 1, 0], dtype=np.int8))) == [0, 1, 0]
    assert is_list_text("0,1, 0")
    assert parse_list("0,1, 0") == [0, 1, 0]
    assert not is_list_text("0,1")  # a decimal comma
    assert parse_list(str(np.array([0.0, 1.0]))) == [0, 1]


@pytest.mark.parametrize("text", ["spam", "[spam]", "[", "", "[a, b]", "(none)", "{}", "(1)", "[1] Smith"])
def test_names_are_no_lists(text: str) -> None:
    assert not is_list_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "['a' ... 'b']",
        "[['a'], ['b']]",
        "[__import__('os')]",
        "['a']['b']",
        "['\\x']",
        "[np.str_('a']",
        "['a",
        "['a', 'b'",
        "['a', b",
        "[",
    ],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read as a list of labels"):
        parse_list(text)


def test_depth_and_length_cost_nothing() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        parse_list("[" * 100_000 + "]" * 100_000)
    assert len(parse_list(str(["a"] * 100_000))) == 100_000
