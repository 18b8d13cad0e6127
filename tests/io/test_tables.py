"""Tables that are written are what pandas reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny import leftovers

from albertkit.datasets.rows import BadRows
from albertkit.datasets.table_files import open_table
from albertkit.errors import DataError
from albertkit.io.tables import open_table_writer

TEXTS = ['a "quoted", text', "two\nlines", "caf\u00e9\u2028x", ""]
PIECES = [
    {"text": TEXTS[:3], "n": np.array([0.1, 1e-30, 2.0]), "tags": [["x", 1], None, []]},
    {"text": TEXTS[3:], "n": np.array([3.0]), "tags": [True]},
]


def written(path: Path, pieces: Any = PIECES) -> Path:
    with open_table_writer(path) as write:
        for piece in pieces:
            write(piece)
    assert not leftovers(path.parent)
    return path


def test_csv_is_what_pandas_reads_and_what_we_read(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = written(tmp_path / "t.csv")
    found = pandas.read_csv(path, keep_default_na=False)
    assert found["text"].tolist() == TEXTS
    assert found["n"].tolist() == [0.1, 1e-30, 2.0, 3.0]
    assert found["tags"].tolist() == ['["x", 1]', "", "[]", "true"]
    bad = BadRows("t.csv")
    assert [values for _, values in open_table(path).rows(["text"], bad)] == [[text] for text in TEXTS]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    days = pyarrow.array([0, 1, None], pyarrow.date32())
    path = written(tmp_path / "t.parquet", [{**PIECES[0], "day": days}, {**PIECES[1], "day": days[:1]}])
    table = parquet.read_table(path)
    assert table.schema.types == [pyarrow.string(), pyarrow.float64(), pyarrow.string(), pyarrow.date32()]
    assert table.column("text").to_pylist() == TEXTS


def test_tsv_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    path = written(tmp_path / "t.tsv", [{"a": ['"x"', "y"], "b": [1, float("nan")]}])
    assert path.read_text() == 'a\tb\n"x"\t1\ny\t\n'
    with pytest.raises(DataError, match=r"bad.tsv: 'two\\nlines' holds a tab or a line end, .* write .csv instead"):
        written(tmp_path / "bad.tsv")
    assert not (tmp_path / "bad.tsv").exists()
    with pytest.raises(DataError, match="later rows have other columns than the first"):
        written(tmp_path / "bad.csv", [{"a": ["x"]}, {"b": ["x"]}])
