"""Write the report's note on examples that were too long for one input and were split into several."""

from __future__ import annotations

import numpy as np

from albertkit.tasks.encoded import Encoded


def window_notes(split: str, encoded: Encoded) -> tuple[str, ...]:
    """Return a note on how many examples were read in how many windows; empty if each had one.

    >>> from albertkit.batching.batch import Sequence
    >>> two = Sequence(np.array([2, 3]), np.zeros(2, int))
    >>> window_notes("dev", Encoded([two] * 4, np.ones(4, int), np.array([0, 1, 1, 1])))
    ('dev: 1 of 2 examples are longer than one input and were read in 3 windows (at most 3 each)',)

    Args:
        split: its name.
        encoded: the split, tokenised.
    """
    if not len(encoded):
        return ()
    counts = np.unique(encoded.example_ids, return_counts=True)[1]
    long = counts[counts > 1]
    if not len(long):
        return ()
    return (
        f"{split}: {len(long):,} of {len(counts):,} examples are longer than one input and were read in "
        f"{long.sum():,} windows (at most {long.max():,} each)",
    )
