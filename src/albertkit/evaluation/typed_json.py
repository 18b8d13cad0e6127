"""Dataclasses as JSON: written by their fields, read back and checked by the types of these fields."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

_LARGEST = 1e15  # of a number: beyond it nothing in a report makes sense, and pictures cannot be drawn
_SCALARS: Mapping[type, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def to_json(value: Any) -> Any:
    """Return `value` as JSON knows it: plain numbers, None for NaN and infinities, lists, texts for paths.

    Of a dataclass the fields that are compared count; the others are for people.

    Raises:
        TypeError: a value that JSON cannot hold.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):  # NumPy's float64 too
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (np.generic, np.ndarray)):
        return to_json(value.tolist())
    if is_dataclass(value):
        return {entry.name: to_json(getattr(value, entry.name)) for entry in _kept(type(value))}
    if isinstance(value, Mapping):
        return {str(key): to_json(entry) for key, entry in value.items()}
    if isinstance(value, (Sequence, set, frozenset)):
        return [to_json(entry) for entry in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a report cannot hold a {type(value).__name__} ({value!r})")


def from_json(kind: Any, value: Any, *, problems: list[str], at: str = "") -> Any:
    """Return a value of JSON as a type wants it; what is returned counts only where no problem was found.

    >>> problems = []
    >>> from_json(tuple[float, float], [1.0], problems=problems, at="intervals.f1"), problems
    (None, ['"intervals.f1" is not a list of 2'])

    Args:
        kind: a dataclass, a scalar, a tuple, a Sequence, a Mapping, one of these or None, or Any.
        value: what JSON held.
        problems: gets a clause for each thing that is wrong.
        at: where the value is.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if NoneType in parts:
        (inner,) = (part for part in parts if part is not NoneType)
        return None if value is None else from_json(inner, value, problems=problems, at=at)
    if kind is Any or (kind in _SCALARS and _is_scalar(kind, value)):
        return value
    wanted = _SCALARS.get(kind, "a mapping")
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, Mapping):
        return _record(kind, value, problems=problems, at=at)
    if origin is not None and issubclass(origin, Mapping):
        if isinstance(value, Mapping):
            return {
                name: from_json(parts[1], entry, problems=problems, at=f"{at}.{name!s:.40}")
                for name, entry in value.items()
            }
    elif origin is not None:  # a Sequence, a tuple of one kind, or one of a fixed length
        one_kind = origin is not tuple or parts[-1] is Ellipsis
        wanted = "a list" if one_kind else f"a list of {len(parts)}"
        if isinstance(value, list) and (one_kind or len(value) == len(parts)):
            kinds = [parts[0]] * len(value) if one_kind else parts
            found = [
                from_json(each, entry, problems=problems, at=f"{at}[{number}]")
                for number, (each, entry) in enumerate(zip(kinds, value, strict=True))
            ]
            return tuple(found) if origin is tuple else found
    problems.append(f'"{at}" is not {wanted}' if at else f"it holds a {type(value).__name__}, not a mapping")
    return None


def _kept(kind: type[Any]) -> list[Field[Any]]:
    return [entry for entry in fields(kind) if entry.compare]


def _record(kind: type[Any], value: Mapping[Any, Any], *, problems: list[str], at: str) -> Any:
    kinds, known = get_type_hints(kind), {entry.name: entry for entry in _kept(kind)}
    prefix = f"{at}." if at else ""
    before = len(problems)
    problems += [
        f'key "{prefix}{name}" is missing'
        for name, entry in known.items()
        if name not in value and entry.default is MISSING and entry.default_factory is MISSING
    ]
    problems += [f'key "{prefix}{name!s:.80}" is unknown' for name in value if name not in known]
    found = {
        name: from_json(kinds[name], value[name], problems=problems, at=f"{prefix}{name}")
        for name in known
        if name in value
    }
    return kind(**found) if len(problems) == before else None


def _is_scalar(kind: type[Any], value: Any) -> bool:
    if kind in (str, bool):
        return isinstance(value, kind)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
        return False
    return kind is float or (isinstance(value, int) and value >= 0)
