"""Frame: a table of another library (pandas, polars, pyarrow, Hugging Face datasets, ..) as named columns of values.

A library whose columns have names is asked for them by name, so none is imported here. What only hands its rows over
through Arrow's PyCapsule interface (`__arrow_c_stream__`, such as DuckDB's results) is read with pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from albertkit.data.columns import refuse_doubles
from albertkit.errors import MissingExtraError
from albertkit.io.tables import python_values

_TO_LIST = ("to_pylist", "to_list", "tolist")
"""What columns have and tables do not."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A table in memory."""

    source: Any
    """What was given."""
    names: tuple[str, ...]
    """Names of the columns."""
    keys: tuple[Any, ...]
    """What `source` calls them; pandas also has names that are no texts."""

    def column(self, name: str) -> list[Any]:
        """Return the values of a column as Python has them.

        Numbers of Hugging Face's ClassLabel become their names, also in lists (tags); None where they have none.
        """
        key = self.keys[self.names.index(name)]
        values = python_values(self.source[key])
        features = getattr(self.source, "features", None)
        feature = features.get(key) if isinstance(features, Mapping) else None
        classes = getattr(getattr(feature, "feature", feature), "names", None)
        return _named(values, classes) if classes else values

    def with_columns(self, columns: Mapping[str, Any]) -> Any:
        """Return a new table of the same library with further columns.

        Args:
            columns: name -> values, of names that are not there.
        """
        found = self.source
        if hasattr(found, "assign"):  # pandas, which keeps its index
            return found.assign(**columns)
        if not hasattr(found, "append_column") and not hasattr(found, "features"):  # polars
            return type(found)({**{key: found[key] for key in self.keys}, **columns})
        for name, values in columns.items():  # Hugging Face, or pyarrow
            add = found.add_column if hasattr(found, "features") else found.append_column
            found = add(name, python_values(values) if add.__name__ == "add_column" else [python_values(values)])
        return found


def _named(values: list[Any], classes: Sequence[str]) -> list[Any]:
    return [
        _named(value, classes)
        if isinstance(value, list)
        else classes[value]
        if isinstance(value, int) and 0 <= value < len(classes)
        else None
        for value in values
    ]


def frame_of(value: Any, *, name: str) -> Frame | None:
    """Return a table as a Frame; None for what is no table.

    Args:
        value: anything.
        name: what a message calls it.

    Raises:
        DataError: two columns have one name.
        MissingExtraError: a table that only pyarrow can read.
    """
    if isinstance(value, Mapping):
        return None
    keys = getattr(value, "column_names", None)
    keys = getattr(value, "columns", None) if keys is None else keys
    if not (isinstance(keys, Iterable) and hasattr(value, "__getitem__") and hasattr(value, "__len__")):
        if not hasattr(value, "__arrow_c_stream__") or any(hasattr(value, method) for method in _TO_LIST):
            return None  # a column speaks Arrow, too
        try:
            import pyarrow
        except ImportError as error:
            raise MissingExtraError("pyarrow", extra="tables", purpose=f"reading a {type(value).__name__}") from error
        value = pyarrow.RecordBatchReader.from_stream(value).read_all()
        keys = value.column_names
    found = tuple(keys)
    names = tuple(map(str, found))
    refuse_doubles(names, where=name)
    return Frame(value, names, found)
