"""A dozen texts that tell one tokenizer from another, and what a saved folder records of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

SELF_TEST_TEXTS = (
    "He said ``yes'' twice, and \u201cno\u201d \u2018once\u2019; it's \"fine\".",
    "3.0, 1,000,000, and 2,500, people in 1947, and 2,and!",
    "Caf\u00e9 d\u00e9j\u00e0 vu, na\u00efve fa\u00e7ade: \u0130s \u0160\u0153 Uglj\u0161i\u0107 d\u1ea5u n\u1eb7ng",
    "The Quick BROWN Fox's iPhone, NASA and McDonald",
    "co-op (U.S.) \u00a35 \u20ac3 \u2013 dash",
    "\u6211\u7231\u5317\u4eac\u5929\u5b89\u95e8\u3002 \u6771\u4eac\u30bf\u30ef\u30fc\uff0c 100\u5143",
    "Wondering how this will get tokenized \U0001f914 ? \U0001f469\u200d\U0001f467",
    "  two  spaces,\ta tab and\u00a0one more  ",
    "th!s \U00029e3d \u03fa and \u03b1\u03b2\u03b3, \u043f\u0440\u0438\u0432\u0435\u0442",
    "\ufb01ne o\ufb03ce, \u00bd \u2460 \u2122 \u338f \uff34\uff28\uff25",
    "Stra\u00dfe, soft\u00adhyphen and zero\u200bwidth",
    "unaffable, well-known e-mail@example.com -- #1!",
)
"""Quotes, digits with commas, accents, capitals, user-defined symbols, ideographs, emoji, spaces, other scripts,
ligatures, characters without width, marks. The order and the texts are part of what folders record."""

SELF_TEST_VERSION = 1
"""Of the texts above: a record of another version is not comparable."""


def self_test_record(model: bytes, ids_of: Callable[[str], list[int]]) -> dict[str, Any]:
    """Return what a saved folder records of its tokenizer: a digest of the vocabulary and one of each text's ids.

    >>> sorted(self_test_record(b"", lambda text: [len(text)]))
    ['ids', 'version', 'vocabulary']

    Args:
        model: the file of the vocabulary.
        ids_of: gives the ids of a text, without special tokens.
    """
    return {
        "version": SELF_TEST_VERSION,
        "vocabulary": hashlib.sha256(model).hexdigest(),
        "ids": " ".join(digest_of(ids_of(text)) for text in SELF_TEST_TEXTS),
    }


def digest_of(ids: list[int]) -> str:
    """Return a hash of ids with eight hexadecimal digits."""
    return hashlib.sha256(" ".join(map(str, ids)).encode()).hexdigest()[:8]
