"""The names of what a head can read of each sequence. Without torch; `pooling.py` computes it."""

from __future__ import annotations

from albertkit.errors import UsageError, did_you_mean

POOLINGS = ("pooler", "cls", "mean")
"""`pooler` is what transformers' sequence classifier reads; [CLS] and [SEP] belong to the `mean`."""


def check_pooling(pooling: str) -> None:
    """Refuse a name that is none of `POOLINGS`.

    >>> check_pooling("mean")

    Raises:
        UsageError: an unknown pooling; the sentence holds the known ones.
    """
    if pooling not in POOLINGS:
        raise UsageError(f'unknown pooling "{pooling}"{did_you_mean(pooling, POOLINGS)} (known: {", ".join(POOLINGS)})')
