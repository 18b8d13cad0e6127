"""Files of vectors: written piece by piece, read by NumPy and pyarrow; the nearest, against scikit-learn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny import files_limited_to, leftovers
from tests.written_vectors import write_vectors

from albertkit.errors import DataError, MissingExtraError, UsageError
from albertkit.io.files import WriteError
from albertkit.io.nearest import nearest, question_vector
from albertkit.io.vectors import MadeBy, VectorFile, open_vectors

VECTORS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("pieces", [[], [2], [1, 0, 2, 40]])
def test_npy_is_numpys(pieces: list[int], tmp_path: Path) -> None:
    vectors = np.random.RandomState(0).rand(sum(pieces), 3).astype(np.float32)
    with open_vectors(tmp_path / "v.npy", dimensions=3) as write:
        for part in np.split(vectors, np.cumsum(pieces)[:-1]) if pieces else []:
            write(part, [""] * len(part), {})
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r") if pieces else vectors
    assert (mapped.shape, mapped.dtype) == ((sum(pieces), 3), np.float32)
    np.save(tmp_path / "numpy.npy", vectors)
    assert (tmp_path / "v.npy").read_bytes()[:10] == (tmp_path / "numpy.npy").read_bytes()[:10]


@pytest.mark.parametrize("count", [0, 2])
def test_parquet_holds_texts_beside_vectors(count: int, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = ["caf\u00e9", "a\x00b"][:count]
    write_vectors(tmp_path / "v.parquet", VECTORS[:count], texts=texts)
    table = parquet.read_table(tmp_path / "v.parquet")
    assert table["text"].to_pylist() == texts
    assert table["vector"].to_pylist() == VECTORS[:count].tolist()
    assert table.schema.field("vector").type.list_size == 3
    assert VectorFile(tmp_path / "v.parquet").made_by is None


def test_pieces_are_row_groups_and_the_file_says_what_made_it(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    made_by = MadeBy("albert-nano", "mean", 128)
    with open_vectors(tmp_path / "v.parquet", dimensions=3, made_by=made_by) as write:
        write(VECTORS, ["a", "b"], {"id": [None, None], "size": pyarrow.array([1, 2])})
        write(VECTORS[:1], ["c"], {"id": ["x"], "size": pyarrow.array([3])})
    file = VectorFile(tmp_path / "v.parquet")
    assert (len(file), file.dimensions, file.made_by) == (3, 3, made_by)
    table = parquet.read_table(tmp_path / "v.parquet")
    assert table.drop_columns("vector").to_pydict() == {
        "text": ["a", "b", "c"],
        "id": [None, None, "x"],
        "size": [1, 2, 3],
    }
    assert parquet.ParquetFile(tmp_path / "v.parquet").num_row_groups == 2
    assert [texts for texts, _ in file.pieces(2)] == [["a", "b"], ["c"]]


def test_the_nearest_are_scikit_learns(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from sklearn.metrics.pairwise import cosine_similarity

    vectors = np.random.RandomState(0).randn(5000, 5).astype(np.float32)  # more than a piece
    vectors[[7, 4500]] = vectors[3]  # ties are in the order of the file
    vectors[9] = 0
    write_vectors(tmp_path / "v.parquet", vectors, texts=[str(number) for number in range(5000)])
    found = nearest(VectorFile(tmp_path / "v.parquet"), 3 * vectors[3], top=20)
    assert [one.text for one in found[:3]] == ["3", "7", "4500"]
    cosines = cosine_similarity(vectors[3:4], vectors)[0]
    assert [one.cosine for one in found] == pytest.approx(np.sort(cosines)[::-1][:20], abs=1e-6)
    assert len(nearest(VectorFile(tmp_path / "v.parquet"), vectors[0], top=9999)) == 5000
    assert {one.cosine for one in nearest(VectorFile(tmp_path / "v.parquet"), vectors[9], top=4)} == {0}


def test_a_model_that_does_not_give_the_vectors_of_the_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_vectors(tmp_path / "v.parquet", VECTORS[1:], texts=["a"])
    file = VectorFile(tmp_path / "v.parquet")

    def ask(*rows: list[float]) -> list[float]:
        return question_vector(file, "?", embed=lambda _: np.array(rows, np.float32), model="m").tolist()

    assert ask([3, 4, 5.001], [1, 2, 3]) == [1, 2, 3]
    with pytest.raises(DataError, match=r"not the vectors that m gives \(cosine 0.42 for the first text\)"):
        ask([3, 0, 0], [1, 2, 3])
    with pytest.raises(DataError, match="vectors of 3 numbers, but those of m have 2"):
        ask([3, 4], [1, 2])
    write_vectors(tmp_path / "none.parquet", VECTORS[:0], texts=[])
    file = VectorFile(tmp_path / "none.parquet")
    assert ask([1, 2, 3]) == [1, 2, 3]


def test_files_that_cannot_be_searched(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    kind = pyarrow.list_(pyarrow.float32(), 2)
    tables: dict[str, tuple[dict[str, Any], str]] = {
        "text": ({"words": ["a"]}, 'no column "text"'),
        "vector": ({"text": ["a"]}, 'no column "vector"'),
        "kind": ({"text": ["a"], "vector": [[1, 2]]}, "holds list<.*int64>, not lists of floating-point numbers"),
        "null": (
            {"text": ["a", None], "vector": pyarrow.array([[1, 2], [1, 2]], kind)},
            "rows 1 to 2: a text or vector is",
        ),
        "nan": ({"text": ["a", "b"], "vector": pyarrow.array([[1, 2], [1, float("nan")]], kind)}, "row 2: .*finite"),
        "width": (
            {"text": ["a", "b"], "vector": [[1.0, 2.0], [1.0]]},
            "row 2: the vector has 1 numbers and the first one 2; all need the same width",
        ),
    }
    for name, (table, words) in tables.items():
        parquet.write_table(pyarrow.table(table), tmp_path / f"{name}.parquet")
        with pytest.raises(DataError, match=words):
            nearest(VectorFile(tmp_path / f"{name}.parquet"), np.ones(2, np.float32), top=1)
    (tmp_path / "no.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        VectorFile(tmp_path / "no.parquet")
    with pytest.raises(DataError, match="there is no such file"):
        VectorFile(tmp_path / "nowhere.parquet")
    with pytest.raises(UsageError, match=r"an \.npy file holds no texts"):
        VectorFile(tmp_path / "v.npy")
    with pytest.raises(UsageError, match=r"must end in \.npy or \.parquet"), open_vectors(tmp_path / "v", dimensions=1):
        pass


def test_lists_of_other_floating_point_types_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for number, kind in enumerate((pyarrow.float16(), pyarrow.float64())):
        values = pyarrow.array(
            [list(row) for row in np.array([[1, 0], [0.5, 2]], kind.to_pandas_dtype())], pyarrow.list_(kind)
        )
        parquet.write_table(pyarrow.table({"text": ["a", "b"], "vector": values}), tmp_path / f"{number}.parquet")
        file = VectorFile(tmp_path / f"{number}.parquet")
        assert file.dimensions == 2
        [(texts, vectors)] = file.pieces()
        assert (texts, vectors.tolist(), vectors.dtype) == (["a", "b"], [[1, 0], [0.5, 2]], np.float32)


def test_without_pyarrow_the_pip_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'albertkit\[tables\]'"):
        write_vectors(tmp_path / "v.parquet", VECTORS, texts=["a", "b"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["v.npy", "v.parquet"])
def test_a_full_disk_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet")
    vectors = np.random.RandomState(0).rand(1000, 16).astype(np.float32)
    with files_limited_to(10_000), pytest.raises(WriteError, match="cannot be written"):
        write_vectors(tmp_path / name, vectors, texts=["x"] * 1000)
    assert not (tmp_path / name).exists()
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("name", ["v.npy", "v.parquet"])
def test_an_error_on_the_way_keeps_what_stood_there(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet")
    (tmp_path / name).write_text("older")
    with pytest.raises(DataError, match="line 9"):
        _stop_after_a_piece(tmp_path / name)
    assert (tmp_path / name).read_text() == "older"
    assert not leftovers(tmp_path)


def _stop_after_a_piece(path: Path) -> None:
    with open_vectors(path, dimensions=3) as write:
        write(VECTORS, ["a", "b"], {})
        raise DataError("line 9")
