"""Registry: names that stand for code, resolved on first use.

One mechanism for every "one more X" (task, data set, checkpoint format, runtime, command): a table of
`name -> "module:attribute"`. Nothing is imported until a name is asked for, so the table costs nothing, and a third
party adds names through an entry point of the group given here, with no line in albertkit.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from albertkit.errors import UsageError, did_you_mean


class Registry(Mapping[str, Any]):
    """A read-only table of names whose values are imported when first asked for.

    Args:
        kind: what a name stands for, in the words of an error message ("task", "data set").
        group: the entry-point group in which other packages add names, e.g. "albertkit.tasks".
        table: name -> "module:attribute".
    """

    def __init__(self, kind: str, *, group: str, table: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._table = dict(table)
        self._resolved: dict[str, Any] = {}

    def _targets(self) -> dict[str, str]:
        added = {point.name: point.value for point in entry_points(group=self.group)}
        return {**added, **self._table}  # our own names win: a plug-in cannot replace them

    def __getitem__(self, name: str) -> Any:
        """Return what `name` stands for.

        Raises:
            UsageError: the name is unknown; the sentence holds the nearest known one.
        """
        if name not in self._resolved:
            target = self._table.get(name) or self._targets().get(name)
            if target is None:
                raise UsageError(
                    f'unknown {self.kind} "{name}"{did_you_mean(name, self)} (known: {", ".join(sorted(self))})'
                )
            module, _, attribute = target.partition(":")
            self._resolved[name] = getattr(importlib.import_module(module), attribute)
        return self._resolved[name]

    def __contains__(self, name: object) -> bool:
        return name in self._table or name in self._targets()

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets())

    def __len__(self) -> int:
        return len(self._targets())
