"""Files of vectors."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.tiny import files_limited_to, leftovers

from albertkit.errors import MissingExtraError
from albertkit.files import WriteError
from albertkit.vectors import write_vectors

VECTORS = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_npy(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npy", VECTORS, texts=["a", "b"])
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), VECTORS)


@pytest.mark.parametrize("count", [0, 2])
def test_parquet_holds_texts_beside_vectors(count: int, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = ["caf\u00e9", "a\x00b"][:count]
    write_vectors(tmp_path / "v.parquet", VECTORS[:count], texts=texts)
    table = parquet.read_table(tmp_path / "v.parquet")
    assert table["text"].to_pylist() == texts
    assert table["vector"].to_pylist() == VECTORS[:count].tolist()
    assert table.schema.field("vector").type.list_size == 3


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
