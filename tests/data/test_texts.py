"""Tables of other libraries as texts: values are read, names of columns never become texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from albertkit.data.examples import TextExample
from albertkit.data.texts import InputError, examples_of, is_gap, texts_of


class Column:
    """As the columns of Hugging Face's datasets 4: a sequence with a name."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.column_name = "text"

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Any:
        return self.values[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)


class HubDataset:
    """As Hugging Face's Dataset: rows are dictionaries, columns are asked for by name."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.columns = columns
        self.features = dict.fromkeys(columns)

    @property
    def column_names(self) -> list[str]:
        return list(self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), len(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return Column(self.columns[key])
        return {name: values[key] for name, values in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[number] for number in range(len(self)))


def test_a_data_set_of_the_hub() -> None:
    pairs = HubDataset({"premise": ["a dog runs", "rain falls"], "hypothesis": ["an animal moves", "it is dry"]})
    assert examples_of(pairs) == [TextExample("a dog runs", "an animal moves"), TextExample("rain falls", "it is dry")]
    assert examples_of(HubDataset({"text": ["a", "b"]})) == [TextExample("a"), TextExample("b")]
    assert texts_of(pairs["premise"]) == ["a dog runs", "rain falls"]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"text": ["a"], "label": ["x"]}, 'X has the column "label", which is not text'),
        ({"id": [1], "text": ["a"], "label": [0]}, r'X has 3 columns \(id, text, label\); .* such as X\["id"\]'),
        ({"text": ["a", None]}, "row 1 has no text"),
        ({"text": ["a"], "pair": [None]}, "row 0 has no text"),
    ],
)
def test_a_data_set_of_the_hub_that_is_refused(columns: dict[str, list[Any]], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        examples_of(HubDataset(columns))


def test_splits_and_streams_are_refused() -> None:
    with pytest.raises(InputError, match=r'of splits; give the texts of one, such as X\["train"\]\["text"\]'):
        examples_of({"train": HubDataset({"text": ["a"]})})

    class Stream:
        column_names = None

        def __iter__(self) -> Iterator[dict[str, str]]:
            yield {"text": "a"}

    with pytest.raises(InputError, match=r"row 0: .* a dict, not a text"):
        examples_of(Stream())


def test_columns_of_arrow() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"a": ["x", "y"], "b": ["z", None]})
    assert texts_of(table["a"]) == ["x", "y"]
    assert texts_of(table.select(["a"])) == ["x", "y"]
    with pytest.raises(InputError, match="row 1 has no text"):
        examples_of(table)


def test_a_frame_with_a_label() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match='the column "label", which is not text'):
        examples_of(pandas.DataFrame({"text": ["a"], "label": ["x"]}))
    assert is_gap(pandas.NA)
