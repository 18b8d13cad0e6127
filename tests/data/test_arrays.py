"""Padded arrays in .npz files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albertkit.data.arrays import parts, read_padded_batch, spread, write_arrays
from albertkit.errors import DataError
from albertkit.io.files import WriteError

GOOD = {
    "input_ids": np.array([[2, 9, 3, 0], [2, 3, 0, 0], [0, 2, 7, 3]], np.int32),
    "input_mask": np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 1, 1]], np.int32),
    "segment_ids": np.array([[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.int32),
}


def test_there_and_back(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", GOOD)
    batch, mask = read_padded_batch(tmp_path / "a.npz")
    assert batch.input_ids.tolist() == [2, 9, 3, 2, 3, 2, 7, 3]
    assert batch.positions.tolist() == [0, 1, 2, 0, 1, 1, 2, 3]
    assert batch.lengths.tolist() == [3, 2, 3]
    ids = spread(batch.input_ids[:, None].astype(np.float32), mask)
    np.testing.assert_array_equal(ids[:, :, 0], GOOD["input_ids"])


def test_parts_hold_everything_once(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", GOOD)
    batch, _ = read_padded_batch(tmp_path / "a.npz")
    for limit, counts in ((1, [1, 1, 1]), (5, [2, 1]), (6, [2, 1]), (100, [3])):
        pieces = list(parts(batch, max_tokens=limit))
        assert [len(piece) for piece in pieces] == counts
        for name in ("input_ids", "token_type_ids", "positions", "lengths"):
            joined = np.concatenate([getattr(piece, name) for piece in pieces])
            np.testing.assert_array_equal(joined, getattr(batch, name))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_mask": None}, "holds no array input_mask; it needs input_ids, input_mask, segment_ids"),
        ({"input_mask": np.ones((3, 3), int)}, r"must have one shape \[n, length\]"),
        ({"input_ids": np.ones((3, 4))}, "must hold whole numbers"),
        ({"input_mask": np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])}, "row 1 of input_mask is all 0"),
        ({name: np.zeros((0, 4), int) for name in GOOD}, "there are no rows"),
        ({name: np.zeros(4, int) for name in GOOD}, "must have one shape"),
    ],
)
def test_arrays_that_cannot_be_are_named_with_their_file(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    arrays = {name: array for name, array in {**GOOD, **changes}.items() if array is not None}
    write_arrays(tmp_path / "a.npz", arrays)
    with pytest.raises(DataError, match=words) as caught:
        read_padded_batch(tmp_path / "a.npz")
    assert str(caught.value).startswith(str(tmp_path / "a.npz"))


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    write_arrays(tmp_path / "whole.npz", GOOD)
    (tmp_path / "half.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:100])
    (tmp_path / "text.npz").write_text("no archive")
    np.save(tmp_path / "one.npy", GOOD["input_ids"])
    for name in ("half.npz", "text.npz", "absent.npz", "one.npy"):
        with pytest.raises(DataError, match=r"cannot be read as a .npz file"):
            read_padded_batch(tmp_path / name)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        write_arrays(tmp_path / "file" / "a.npz", GOOD)
