"""Vectors that somebody else computed: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.written_vectors import write_vectors

from albertkit.datasets.text_rows import Row
from albertkit.errors import DataError
from albertkit.training.distillation.given import given_digest, read_given

ROWS = [Row("a", "t.txt, line 1"), Row("b", "t.txt, line 2")]
VECTORS = np.array([[3.0, 4.0], [0.0, 2.0]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_of_an_array(tmp_path: Path, dtype: Any) -> None:
    np.save(tmp_path / "v.npy", VECTORS.astype(dtype))
    rows, vectors = read_given(str(tmp_path / "v.npy"), ROWS)
    assert rows == ROWS
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0, 1]], atol=1e-3)
    assert given_digest(rows, vectors) != given_digest(rows, vectors[::-1])


def test_parquet_has_its_own_texts(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "v.parquet"
    write_vectors(path, VECTORS.astype(np.float32), texts=["a", "b"])
    rows, vectors = read_given(str(path), [])
    assert [row.text for row in rows] == ["a", "b"]
    assert vectors.shape == (2, 2)
    assert len(read_given(str(path), ROWS)[0]) == 2
    with pytest.raises(DataError, match=r"t\.txt, line 2: the text is not that of the same row"):
        read_given(str(path), [ROWS[0], Row("c", "t.txt, line 2")])
    with pytest.raises(DataError, match="2 vectors for 1 texts of --data; give one vector per text, in order"):
        read_given(str(path), ROWS[:1])
    write_vectors(path, VECTORS[:0].astype(np.float32), texts=[])
    with pytest.raises(DataError, match="the file has no rows"):
        read_given(str(path), [])


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([[1.0, 2.0], [1.0, np.nan]]), "row 2: the vector is zero or not of finite numbers"),
        (np.array([[0.0, 0.0], [1.0, 1.0]]), "row 1: the vector is zero or not of finite numbers"),
        (np.array([[1e300, 1.0], [1.0, 1.0]]), "row 1: the vector is zero or not of finite numbers"),
        (np.ones((3, 2)), "3 vectors for 2 texts of --data"),
        (np.ones((2, 2), int), r"holds int64 of shape \[2, 2\]; it needs one row of floating-point numbers"),
        (np.ones(2), r"of shape \[2\]"),
        (np.array([{}, {}]), "cannot be read as an array of NumPy"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, array: Any, words: str) -> None:
    np.save(tmp_path / "v.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=words):
        read_given(str(tmp_path / "v.npy"), ROWS)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_given(str(tmp_path / "v.npy"), ROWS)
