"""Decode Julia values from BSON, as BSON.jl's `extensions.jl` encodes them: dictionaries, arrays, text, references.

A value without a BSON type is a document with a `tag`: `struct` (a `Dict` is a struct of its keys and its values),
`array` (type, size and bytes in column-major order), `symbol`, `datatype`, and `backref`. A `backref` is the index
of a shared value in `_backrefs`. The reader never constructs a type from a name in the file: it compares each name
with the few that a model needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from albertkit.errors import CheckpointError

_NUMBERS = {"Float16": "<f2", "Float32": "<f4", "Float64": "<f8", "Int32": "<i4", "Int64": "<i8"}
_HOPS = 16  # references to references


class JuliaValues:
    """Takes the values of one file apart.

    Args:
        document: the file's document.
        path: the file, for messages.
    """

    def __init__(self, document: Mapping[str, Any], path: Path) -> None:
        references = document.get("_backrefs", [])
        self._references: list[Any] = references if isinstance(references, list) else []
        self._path = path

    def error(self, what: str) -> CheckpointError:
        """Return the error of a value that is not what it should be."""
        return CheckpointError(f"{self._path}: {what}; save the model again with tfckpt2bsonforalbert(raw=true)")

    def resolved(self, value: Any) -> Any:
        """Follow references.

        Raises:
            CheckpointError: to nothing, or round and round.
        """
        for _ in range(_HOPS):
            if not (isinstance(value, dict) and value.get("tag") == "backref"):
                return value
            number = value.get("ref")
            if not isinstance(number, int) or not 1 <= number <= len(self._references):  # Julia counts from 1
                raise self.error(f"refers to the value {number!r:.40} of {len(self._references)}")
            value = self._references[number - 1]
        raise self.error("has a reference that leads to itself")

    def type_name(self, value: Any) -> str:
        """Return the last part of a type's name, `Float32`; empty for what is no plain type."""
        name = self.resolved(value)
        parts = self.resolved(name.get("name")) if isinstance(name, dict) and name.get("tag") == "datatype" else None
        return parts[-1] if isinstance(parts, list) and parts and isinstance(parts[-1], str) else ""

    def items(self, value: Any, *, what: str) -> list[Any]:
        """Return the values of a vector.

        Raises:
            CheckpointError: it is none.
        """
        found = self.resolved(value)
        if isinstance(found, dict) and found.get("tag") == "array":
            inner = self.resolved(found.get("data"))
            if not isinstance(inner, list):
                inner = self.array(found, what=what).reshape(-1).tolist()
            return [self.resolved(item) for item in inner]
        if not isinstance(found, list):
            raise self.error(f"{what} is not a list of values")
        return [self.resolved(item) for item in found]

    def mapping(self, value: Any, *, what: str) -> dict[str, Any]:
        """Return a dictionary with keys of text; its values still may be references.

        Raises:
            CheckpointError: it is none.
        """
        found = self.resolved(value)
        if isinstance(found, dict) and "tag" not in found:
            return found  # a Dict with symbols for keys is a plain document
        if isinstance(found, dict) and found.get("tag") == "struct" and self.type_name(found.get("type")) == "Dict":
            data = self.items(found.get("data"), what=what)
            if len(data) == 2:
                keys, values = (self.items(part, what=what) for part in data)
                if len(keys) == len(values) == len({key for key in keys if isinstance(key, str)}):
                    return dict(zip(keys, values, strict=True))
        raise self.error(f"{what} is not a dictionary of names and values")

    def array(self, value: Any, *, what: str) -> np.ndarray[Any, Any]:
        """Return an array of numbers as C orders it: the indices of Julia's in reverse, a view of the file.

        Raises:
            CheckpointError: it is none, or its size and its bytes differ.
        """
        found = self.resolved(value)
        if not isinstance(found, dict) or found.get("tag") != "array":
            raise self.error(f"{what} is not an array of numbers")
        kind, data = self.type_name(found.get("type")), self.resolved(found.get("data"))
        if kind not in _NUMBERS or not isinstance(data, memoryview):
            raise self.error(f"{what} is an array of {kind or 'something'}, not of {', '.join(_NUMBERS)}")
        size = self.items(found.get("size"), what=f"the size of {what}") if "size" in found else []
        if not size or len(size) > 8 or not all(type(extent) is int and extent >= 0 for extent in size):
            raise self.error(f"{what} has the size {size!r:.60}")
        dtype = np.dtype(_NUMBERS[kind])
        if prod(size) * dtype.itemsize != len(data):
            raise self.error(
                f"{what} {size} of {kind} takes {prod(size) * dtype.itemsize} bytes, {len(data)} are there"
            )
        return np.frombuffer(data, dtype).reshape(size[::-1])


def _datatype(*name: str, parameters: Sequence[Any] = ()) -> dict[str, Any]:
    return {"tag": "datatype", "name": list(name), "params": list(parameters)}


def julia_dictionary(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a `Dict{String,Any}` becomes.

    >>> julia_dictionary({"a": 1})["data"]
    [['a'], [1]]
    """
    parameters = (_datatype("Core", "String"), _datatype("Core", "Any"))
    kind = _datatype("Main", "Base", "Dict", parameters=parameters)
    return {"tag": "struct", "type": kind, "data": [list(values), list(values.values())]}


def julia_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return what the array with its indices reversed becomes in Julia; the bytes are the same.

    >>> julia_array(np.zeros((2, 3), "f4"))["size"]
    [3, 2]
    """
    kind = {np.dtype(code): name for name, code in _NUMBERS.items()}[array.dtype]
    flat = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
    data = flat.view(np.uint8).data if flat.size else b""
    return {"tag": "array", "type": _datatype("Core", kind), "size": list(array.shape[::-1]), "data": data}
