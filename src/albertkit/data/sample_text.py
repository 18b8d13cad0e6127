"""A small ordinary text that ships with the package, for measurements that run before the user's first text."""

from __future__ import annotations

import gzip
from importlib import resources

_STEP = 97
"""Every 97th line, so that the sample covers the whole file."""


def sample_texts(*, short: int = 16, long: int = 8) -> list[str]:
    """Return English texts, always the same ones: sentences, and paragraphs of six sentences.

    >>> [len(text.split()) > 60 for text in sample_texts(short=1, long=1)]
    [False, True]

    Args:
        short: number of sentences.
        long: number of paragraphs.
    """
    packed = resources.files("albertkit").joinpath("assets/polarity.tsv.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").rstrip("\n").split("\n")
    chosen = [line.partition("\t")[2] for line in lines[::_STEP]]
    return chosen[:short] + [" ".join(chosen[start : start + 6]) for start in range(short, short + 6 * long, 6)]
