"""Two-way renames: one table of rows `(canonical, foreign)` for each dialect, walked both ways.

A row holds full tensor names. A placeholder marks a part that both sides share:

    {group}, {layer}   a number
    {leaf}             weight or bias

    ("groups.{group}.layers.{layer}.ffn.up.{leaf}", "layer_groups.{group}.layers.{layer}.ffn.{leaf}")
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from albertkit.errors import CheckpointError

Value = TypeVar("Value")

_PLACEHOLDERS = {"group": r"(?P<group>\d+)", "layer": r"(?P<layer>\d+)", "leaf": r"(?P<leaf>weight|bias)"}


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile("".join(_PLACEHOLDERS[part] if i % 2 else re.escape(part) for i, part in enumerate(parts)))


class RenameTable:
    """An ordered table of reversible renames; the first row that matches a whole name counts.

    >>> table = RenameTable([("groups.{group}.norm.{leaf}", "g{group}.LayerNorm.{leaf}"), ("bias", "output_bias")])
    >>> table.to_canonical("g3.LayerNorm.weight"), table.to_foreign("bias"), table.to_canonical("other")
    ('groups.3.norm.weight', 'output_bias', None)

    Args:
        rows: pairs `(canonical, foreign)`; both sides of a row hold the same placeholders.
    """

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        self.rows = tuple(rows)
        for canonical, foreign in self.rows:
            assert _pattern(canonical).groupindex.keys() == _pattern(foreign).groupindex.keys(), (canonical, foreign)
        self._canonical = [(_pattern(canonical), foreign) for canonical, foreign in self.rows]
        self._foreign = [(_pattern(foreign), canonical) for canonical, foreign in self.rows]

    def to_canonical(self, name: str) -> str | None:
        """Return the canonical name for a foreign one, or None where no row matches."""
        return _walk(self._foreign, name)

    def to_foreign(self, name: str) -> str | None:
        """Return the foreign name for a canonical one, or None where no row matches."""
        return _walk(self._canonical, name)

    def read(self, state: Mapping[str, Value], *, where: str) -> tuple[dict[str, Value], dict[str, Value]]:
        """Rename a foreign state.

        Args:
            state: foreign name -> tensor.
            where: what an error message calls the file.

        Returns:
            `(renamed, unknown)`: canonical name -> tensor, and the entries that no row matches under their own names.

        Raises:
            CheckpointError: two foreign names map to one tensor.
        """
        renamed: dict[str, Value] = {}
        unknown: dict[str, Value] = {}
        for name, value in state.items():
            canonical = self.to_canonical(name)
            if canonical is None:
                unknown[name] = value
            elif canonical in renamed:
                raise CheckpointError(f'{where}: "{name}" is a second tensor for {canonical}; remove one of the two')
            else:
                renamed[canonical] = value
        return renamed, unknown

    def write(self, state: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
        """Rename a canonical state; return `(renamed, unknown)` like `read`."""
        renamed: dict[str, Value] = {}
        unknown: dict[str, Value] = {}
        for name, value in state.items():
            foreign = self.to_foreign(name)
            if foreign is None:
                unknown[name] = value
            else:
                renamed[foreign] = value
        return renamed, unknown


def _walk(rows: Iterable[tuple[re.Pattern[str], str]], name: str) -> str | None:
    for pattern, template in rows:
        match = pattern.fullmatch(name)
        if match:
            return template.format(**match.groupdict())
    return None
