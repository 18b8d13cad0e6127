"""An index of a file of vectors, by faiss: nearly the same nearest texts without reading the whole file.

    vectors.parquet             what `albertkit embed` wrote
    vectors.parquet.hnsw/       the index, a folder
        index.faiss             a graph (HNSW; Malkov and Yashunin, 2018) with the vectors, each of length 1
        index.json              size, time of change and digest of index.faiss and of each file of the collection

Building it needs all vectors in memory. A search maps the graph, so that it reads only what it visits.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from albertkit.errors import DataError, MissingExtraError
from albertkit.io.file_digests import sha256_of
from albertkit.io.files import atomic_folder, read_json, write_json
from albertkit.io.nearest import Near
from albertkit.io.progress import Progress, Silent
from albertkit.io.vectors import FloatArray, VectorFile, unit

_ENDING, _GRAPH, _RECORD = ".hnsw", "index.faiss", "index.json"
_FORMAT = 1
NEIGHBOURS = 32
"""Links of a vector in the graph (faiss' M)."""
BUILD_BREADTH, LEAST_BREADTH = 200, 128
"""Candidates that are kept while the graph is built (efConstruction), and at least while it is searched (efSearch)."""


def import_faiss(purpose: str) -> Any:
    """Return the module `faiss`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of its SWIG types, from Python 3.12 on
            import faiss
    except ImportError as error:
        raise MissingExtraError("faiss", extra="index", purpose=purpose) from error
    return faiss


def index_folder(file: VectorFile) -> Path:
    """Return where the index of a file of vectors is."""
    return file.path.with_name(file.path.name + _ENDING)


class VectorIndex:
    """An index that belongs to a file of vectors.

    Args:
        file: the vectors; what is found is read from it.

    Raises:
        DataError: there is no index, the vectors changed since it was built, or it is damaged.
        MissingExtraError: faiss is not installed.
    """

    def __init__(self, file: VectorFile) -> None:
        faiss = import_faiss(f"searching by an index of {file.path}")
        folder, self.file = index_folder(file), file
        again = f"remove {folder} to build it again"
        try:
            record = read_json(folder / _RECORD)
            if record["format"] != _FORMAT:
                raise ValueError(f"format {record['format']}")
            is_whole = _is_same(folder / _GRAPH, record["graph"])
            is_current = len(record["collection"]) == len(file.files) and all(
                map(_is_same, file.files, record["collection"])
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{folder}: cannot be read as an index ({error!s:.100}); {again}") from error
        if not is_current:
            raise DataError(f"{file.path}: changed since its index was built; {again}")
        if not is_whole:
            raise DataError(f"{folder / _GRAPH}: damaged (its SHA-256 is not the recorded one); {again}")
        self._index = faiss.read_index(str(folder / _GRAPH), faiss.IO_FLAG_MMAP_IFC)

    def nearest(self, vector: FloatArray, *, top: int) -> list[Near]:
        """Return the `top` texts with the largest cosine, as far as the graph leads to them, the nearest first.

        Args:
            vector: vector of the question, `[dimensions]`.
            top: how many, from 1.

        Raises:
            DataError: the file is damaged.
        """
        self._index.hnsw.efSearch = max(LEAST_BREADTH, 2 * top)
        cosines, rows = self._index.search(unit(vector)[None], top)
        found = {int(row): float(cosine) for row, cosine in zip(rows[0], cosines[0], strict=True) if row >= 0}
        order = sorted(found, key=lambda row: (-found[row], row))  # ties in the order of the file
        return [
            Near(row, str(kept["text"]), found[row])
            for row, kept in zip(order, self.file.columns(order, ("text",)), strict=True)
        ]


def build_index(file: VectorFile, *, progress: Progress | None = None) -> Path:
    """Build the index of a file of vectors, and return its folder; an older one is replaced when the new is complete.

    Args:
        file: the vectors.
        progress: gets the progress reports.

    Raises:
        DataError: the file is damaged or holds no vectors.
        MissingExtraError: faiss is not installed.
        WriteError: the system refused.
    """
    faiss = import_faiss(f"building an index of {file.path}")
    rows = len(file)
    if not rows or not file.dimensions:
        raise DataError(f"{file.path}: holds no vectors, so there is nothing to index")
    index = faiss.IndexHNSWFlat(file.dimensions, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILD_BREADTH
    collection = [_entry(each) for each in file.files]
    with (progress or Silent()).bar("indexing", total=rows) as advance:
        for texts, vectors in file.pieces():
            index.add(np.ascontiguousarray(unit(vectors)))
            advance(len(texts))
    folder = index_folder(file)
    with atomic_folder(folder) as temporary:
        faiss.write_index(index, str(temporary / _GRAPH))
        graph = _entry(temporary / _GRAPH)
        write_json(temporary / _RECORD, {"format": _FORMAT, "graph": graph, "collection": collection})
    return folder


def _entry(path: Path) -> dict[str, Any]:
    """Return what the record keeps of a file."""
    found = path.stat()
    return {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns, "sha256": sha256_of(path)}


def _is_same(path: Path, entry: Mapping[str, Any]) -> bool:
    """Return whether a file is the recorded one: untouched since, or, like a copy, with the same digest."""
    found, sha256 = path.stat(), entry["sha256"]
    if (found.st_size, found.st_mtime_ns) == (entry["bytes"], entry["mtime_ns"]):
        return True
    return found.st_size == entry["bytes"] and sha256_of(path) == sha256
