"""Batch: packing, padding and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from albertkit.batching.batch import Batch, Sequence


def sequence(ids: list[int], segments: list[int] | None = None) -> Sequence:
    return Sequence(np.array(ids, np.int64), np.array(segments or [0] * len(ids), np.int64))


def test_the_worked_example() -> None:
    batch = Batch.pack([sequence([2, 48, 3]), sequence([2, 25, 21, 3], [0, 0, 1, 1])])
    assert batch.input_ids.tolist() == [2, 48, 3, 2, 25, 21, 3]
    assert batch.token_type_ids.tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert batch.positions.tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert batch.lengths.tolist() == [3, 4]
    assert batch.starts.tolist() == [0, 3]
    assert (batch.tokens, len(batch)) == (7, 2)


def test_padding() -> None:
    padded = Batch.pack([sequence([2, 48, 3]), sequence([2, 3])]).pad(length=4, pad_id=9)
    assert padded["input_ids"].tolist() == [[2, 48, 3, 9], [2, 3, 9, 9]]
    assert padded["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]
    assert padded["token_type_ids"].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]


rows = st.lists(st.lists(st.integers(0, 29999), min_size=1, max_size=9), min_size=1, max_size=6)


@given(rows)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
def test_packed_padded_packed(ids: list[list[int]]) -> None:
    batch = Batch.pack(sequence(row, [k % 2 for k in range(len(row))]) for row in ids)
    assert [part.input_ids.tolist() for part in batch] == ids
    padded = batch.pad()
    again = Batch.from_padded(padded["input_ids"], padded["attention_mask"], padded["token_type_ids"])
    for name in ("input_ids", "token_type_ids", "positions", "lengths", "starts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(batch, name))


def test_padding_on_the_left_and_holes_keep_their_columns() -> None:
    mask = np.array([[0, 1, 0, 1]])
    batch = Batch.from_padded(np.array([[0, 2, 0, 3]]), mask, np.zeros((1, 4), int))
    assert batch.positions.tolist() == [1, 3]
    assert batch.input_ids.tolist() == [2, 3]


def test_some_sequences_keep_their_positions() -> None:
    batch = Batch.from_padded(np.array([[0, 2, 3], [4, 5, 6]]), np.array([[0, 1, 1], [1, 1, 1]]), np.zeros((2, 3), int))
    taken = batch.take(np.array([1, 0]))
    assert taken.input_ids.tolist() == [4, 5, 6, 2, 3]
    assert taken.positions.tolist() == [0, 1, 2, 1, 2]
    assert taken.starts.tolist() == [0, 3]
    assert len(batch.take(np.zeros(0, np.int64))) == 0


def test_nothing_is_a_batch_too() -> None:
    batch = Batch.pack([])
    assert (len(batch), batch.tokens) == (0, 0)
    assert batch.pad()["input_ids"].shape == (0, 0)


def test_arrays_that_do_not_fit_are_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        Batch(np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3, np.int64), np.array([2]))


def test_an_empty_batch_is_walked() -> None:
    empty = Batch.pack([])
    assert (len(empty), empty.tokens, list(empty), empty.starts.tolist()) == (0, 0, [], [])
