"""Registry: names that refer to code, resolved on first use.

One mechanism for every "one more X" (task, data set, checkpoint format, runtime, command): a table of
`name -> "module:attribute"`. Nothing is imported until a name is asked for, so the table costs nothing, and a third
party adds names through an entry point of the group given here, with no line in albertkit.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeVar

from albertkit.errors import UsageError, did_you_mean


def resolve(place: str) -> Any:
    """Import and return what is at a place.

    >>> resolve("math:pi") > 3
    True

    Args:
        place: "module:attribute".
    """
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


Named = TypeVar("Named", covariant=True)
"""What the names of a table refer to."""


class Registry(Mapping[str, Named]):
    """A read-only table of names whose values are imported when first asked for.

    Args:
        kind: what a name refers to, as error messages call it ("task", "data set").
        group: the entry-point group in which other packages add names, e.g. "albertkit.tasks".
        table: name -> "module:attribute".
    """

    def __init__(self, kind: str, *, group: str, table: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._table = dict(table)
        self._resolved: dict[str, Named] = {}
        self._plugins: dict[str, str] | None = None

    def _added(self) -> dict[str, str]:
        # A scan of every installed package takes tens of milliseconds: only names that are not our own pay for it, and
        # our own names win, so that a plug-in cannot replace them.
        if self._plugins is None:
            points = entry_points(group=self.group)
            self._plugins = {point.name: point.value for point in points if point.name not in self._table}
        return self._plugins

    def __getitem__(self, name: str) -> Named:
        """Return the object that `name` refers to.

        Raises:
            UsageError: the name is unknown; the sentence holds the nearest known one.
        """
        if name not in self._resolved:
            target = self._table.get(name) or self._added().get(name)
            if target is None:
                raise UsageError(
                    f'unknown {self.kind} "{name}"{did_you_mean(name, self)} (known: {", ".join(sorted(self))})'
                )
            self._resolved[name] = resolve(target)
        return self._resolved[name]

    def __contains__(self, name: object) -> bool:
        return name in self._table or name in self._added()

    def __iter__(self) -> Iterator[str]:
        yield from self._table
        yield from self._added()

    def __len__(self) -> int:
        return len(self._table) + len(self._added())
