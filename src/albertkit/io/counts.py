"""Counts in words: "1 query", "1,200 rows"."""

from __future__ import annotations


def counted_noun(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    >>> counted_noun(1, "query", "queries"), counted_noun(1200, "row"), counted_noun(0, "row")
    ('1 query', '1,200 rows', '0 rows')

    Args:
        number: how many.
        noun: what, one of it.
        plural: several of it; the noun with an s if empty.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
