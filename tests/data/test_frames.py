"""Tables of other libraries: their values by column, and the same kind of table with further columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albertkit.data.frames import frame_of
from albertkit.errors import DataError

ROWS = {"id": [1, 2], "text": ["a", None]}
MORE = {"label": ["x", "y"], "share": np.array([0.5, 1.0])}


def pandas_table() -> Any:
    return pytest.importorskip("pandas").DataFrame(ROWS, index=[7, 9])


def polars_table() -> Any:
    return pytest.importorskip("polars").DataFrame(ROWS)


def arrow_table() -> Any:
    return pytest.importorskip("pyarrow").table(ROWS)


def hub_table() -> Any:
    return pytest.importorskip("datasets").Dataset.from_dict(ROWS)


@pytest.mark.parametrize("made", [pandas_table, polars_table, arrow_table, hub_table], ids=lambda made: made.__name__)
def test_in_and_out_again(made: Any) -> None:
    table = made()
    frame = frame_of(table, name="X")
    assert frame is not None
    assert frame.names == ("id", "text")
    assert frame.column("id") == [1, 2]
    text = frame.column("text")
    assert text[0] == "a"
    assert text[1] is None or text[1] != text[1]
    found = frame.with_columns(MORE)
    assert type(found) is type(table)
    again = frame_of(found, name="X")
    assert again is not None
    assert again.names == ("id", "text", "label", "share")
    assert (again.column("label"), again.column("share")) == (["x", "y"], [0.5, 1.0])
    assert frame_of(table, name="X").names == ("id", "text")  # the given one is as it was
    if made is pandas_table:
        assert found.index.tolist() == [7, 9]


class Stream:
    """What only speaks Arrow's PyCapsule interface, as a query result of DuckDB."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


def test_any_library_that_speaks_arrow() -> None:
    frame = frame_of(Stream(arrow_table()), name="X")
    assert frame is not None
    assert (frame.names, frame.column("id")) == (("id", "text"), [1, 2])


@pytest.mark.parametrize("made", [pandas_table, polars_table, arrow_table], ids=lambda made: made.__name__)
def test_a_column_is_no_table(made: Any) -> None:
    assert frame_of(made()["text"], name="X") is None


@pytest.mark.parametrize("value", [["a"], "a", 3, {"text": ["a"]}, np.array([["a", "b"]]), None])
def test_what_is_no_table(value: Any) -> None:
    assert frame_of(value, name="X") is None


def test_names_of_classes() -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    table = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    frame = frame_of(table, name="X")
    assert frame is not None
    assert frame.column("label") == ["pos", "neg", None]


def test_two_columns_of_one_name() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r'^X: column "a" occurs more than once; rename all but one$'):
        frame_of(pandas.DataFrame([["x", "y"]], columns=["a", "a"]), name="X")
