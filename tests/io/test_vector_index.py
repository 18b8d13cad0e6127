"""The index of a file of vectors: it finds what the exact search finds, and refuses what is not its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny import leftovers
from tests.written_vectors import write_vectors

from albertkit.errors import DataError, MissingExtraError
from albertkit.io.nearest import nearest
from albertkit.io.vector_index import VectorIndex, build_index, index_folder
from albertkit.io.vectors import VectorFile

pytest.importorskip("pyarrow")
pytest.importorskip("faiss")

VECTORS = np.random.RandomState(0).randn(300, 11).astype(np.float32)


def write(path: Path, vectors: Any = VECTORS) -> VectorFile:
    write_vectors(path, vectors, texts=[f"t{row}" for row in range(len(vectors))])
    return VectorFile(path)


def test_it_finds_what_the_exact_search_finds(tmp_path: Path) -> None:
    file = write(tmp_path / "v.parquet")
    folder = build_index(file)
    assert folder == index_folder(file) == tmp_path / "v.parquet.hnsw"
    assert leftovers(tmp_path) == []
    index = VectorIndex(file)
    for question in np.random.RandomState(1).randn(5, 11).astype(np.float32):
        exact = nearest(file, question, top=20)
        found = index.nearest(question, top=20)
        assert [one.text for one in found] == [one.text for one in exact]
        assert [one.cosine for one in found] == pytest.approx([one.cosine for one in exact], abs=1e-6)
    assert len(index.nearest(VECTORS[0], top=400)) <= 300


def test_a_collection_that_changed_is_refused(tmp_path: Path) -> None:
    build_index(write(tmp_path / "v.parquet"))
    file = write(tmp_path / "v.parquet", VECTORS[::-1])
    with pytest.raises(DataError, match=r"changed since its index was built; remove .*v\.parquet\.hnsw to build it"):
        VectorIndex(file)
    assert VectorIndex(write(tmp_path / "v.parquet")).nearest(VECTORS[7], top=1)[0].row == 7  # the same again


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "v.parquet")
    with pytest.raises(DataError, match="cannot be read as an index"):
        VectorIndex(file)
    folder = build_index(file)
    graph = bytearray((folder / "index.faiss").read_bytes())
    graph[-5] ^= 1
    (folder / "index.faiss").write_bytes(graph)
    with pytest.raises(DataError, match=r"index\.faiss: damaged"):
        VectorIndex(file)
    record = json.loads((folder / "index.json").read_text())
    for wrong in ("[]", json.dumps({**record, "format": 9}), "{"):
        (folder / "index.json").write_text(wrong)
        with pytest.raises(DataError, match="cannot be read as an index"):
            VectorIndex(file)
    assert build_index(file) == folder
    assert VectorIndex(file).nearest(VECTORS[3], top=1)[0].text == "t3"


def test_nothing_to_index(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no vectors"):
        build_index(write(tmp_path / "v.parquet", VECTORS[:0]))


def test_without_faiss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(
        MissingExtraError, match=r"needs faiss, which is not installed: pip install 'albertkit\[index\]'"
    ):
        build_index(write(tmp_path / "v.parquet"))
