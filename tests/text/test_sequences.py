"""Truncation against the loop it replaces, special tokens and segments by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.errors import UsageError
from albertkit.text.sequences import build_sequence, token_budget, truncated_lengths


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 80))
def test_truncation_is_the_loop_of_googles_code(length_a: int, length_b: int, budget: int) -> None:
    expected_a, expected_b = length_a, length_b
    while expected_a + expected_b > budget:
        if expected_a > expected_b:
            expected_a -= 1
        else:
            expected_b -= 1
    assert truncated_lengths(length_a, length_b, budget=budget) == (expected_a, expected_b)


def test_single_and_pair() -> None:
    one = build_sequence([11, 13], None, max_length=None, cls_id=2, sep_id=3)
    assert (one.input_ids.tolist(), one.token_type_ids.tolist()) == ([2, 11, 13, 3], [0, 0, 0, 0])
    two = build_sequence([11, 13, 17], [19, 23], max_length=7, cls_id=2, sep_id=3)
    assert two.input_ids.tolist() == [2, 11, 13, 3, 19, 23, 3]
    assert two.token_type_ids.tolist() == [0, 0, 0, 0, 1, 1, 1]
    empty = build_sequence([], [], max_length=3, cls_id=2, sep_id=3)
    assert (empty.input_ids.tolist(), empty.token_type_ids.tolist()) == ([2, 3, 3], [0, 0, 1])


@pytest.mark.parametrize("max_length", [-1, 0, 2])
def test_no_room_for_special_tokens(max_length: int) -> None:
    with pytest.raises(UsageError, match=f"max_length {max_length} has no room for the 3 special tokens"):
        build_sequence([11], [13], max_length=max_length, cls_id=2, sep_id=3)


def test_budget() -> None:
    assert token_budget(None, num_specials=2) is None
    assert token_budget(0, num_specials=0) == 0
