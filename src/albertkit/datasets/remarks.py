"""What was mended while a file was read: a sentence for each kind, with its count and the first places."""

from __future__ import annotations

_SHOWN = 8


class Remarks:
    """Things of one file that were read otherwise than they stand in it.

    >>> remarks = Remarks("a.conll")
    >>> remarks.add("tags changed to B-", "line 3")
    >>> remarks.add("tags changed to B-", "line 9")
    >>> remarks.close()
    ('a.conll: 2 tags changed to B- (line 3, line 9)',)

    Args:
        where: the file, as a message names it.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._places: dict[str, list[str]] = {}

    def add(self, what: str, place: str) -> None:
        """Note one thing.

        Args:
            what: what was done, as it reads behind a number, e.g. "answers taken from the nearest place".
            place: where, e.g. "line 3".
        """
        self._places.setdefault(what, []).append(place)

    def places(self, what: str) -> list[str]:
        """Return where one kind of thing was noted."""
        return self._places.get(what, [])

    def close(self) -> tuple[str, ...]:
        """Return one sentence for each kind of thing."""
        sentences = []
        for what, places in self._places.items():
            shown = ", ".join(places[:_SHOWN]) + (", ..." if len(places) > _SHOWN else "")
            sentences.append(f"{self.where}: {len(places)} {what} ({shown})")
        return tuple(sentences)
