"""Special tokens, segments and truncation: ids of one text or of a pair -> `[CLS] a [SEP] (b [SEP])`."""

from __future__ import annotations

from collections.abc import Sequence as Ids

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Sequence
from albertkit.errors import UsageError


def truncated_lengths(length_a: int, length_b: int, *, budget: int) -> tuple[int, int]:
    """Return how many tokens of each text stay when tokens go one by one from the end of the longer text.

    Of two equally long texts the second loses the token, as in Google's code.

    >>> truncated_lengths(10, 3, budget=8), truncated_lengths(10, 9, budget=7)
    ((5, 3), (4, 3))

    Args:
        length_a: tokens of the first text.
        length_b: tokens of the second text.
        budget: tokens that may stay in all.
    """
    if length_a + length_b <= budget:
        return length_a, length_b
    shorter = min(length_a, length_b)
    if budget >= 2 * shorter:
        return (budget - shorter, shorter) if length_a > length_b else (shorter, budget - shorter)
    return budget - budget // 2, budget // 2


def token_budget(max_length: int | None, *, num_specials: int) -> int | None:
    """Return how many tokens are left for the texts, None where there is no limit.

    >>> token_budget(512, num_specials=3)
    509

    Args:
        max_length: tokens of the whole sequence, special tokens among them; None for no limit.
        num_specials: special tokens of the sequence.

    Raises:
        UsageError: max_length is too small even for the special tokens.
    """
    if max_length is None:
        return None
    if max_length < max(num_specials, 0):
        raise UsageError(
            f"max_length {max_length} has no room for the {num_specials} special tokens of a sequence; "
            f"give at least {num_specials + 1}"
        )
    return max_length - num_specials


def build_sequence(
    ids_a: Ids[int] | npt.NDArray[np.integer],
    ids_b: Ids[int] | npt.NDArray[np.integer] | None,
    *,
    max_length: int | None,
    cls_id: int,
    sep_id: int,
) -> Sequence:
    """Put special tokens and segments around the ids of one text or of a pair, truncating the longer text first.

    >>> build_sequence([31, 23], [48], max_length=None, cls_id=2, sep_id=3).input_ids.tolist()
    [2, 31, 23, 3, 48, 3]
    >>> build_sequence([31, 23], [48], max_length=5, cls_id=2, sep_id=3).token_type_ids.tolist()
    [0, 0, 0, 1, 1]
    >>> build_sequence([31, 23, 48], None, max_length=4, cls_id=2, sep_id=3).truncated
    1

    Args:
        ids_a: token ids of the first text.
        ids_b: token ids of the second text, or None.
        max_length: tokens of the whole sequence at most; None for no limit.
        cls_id: id of [CLS].
        sep_id: id of [SEP].

    Raises:
        UsageError: max_length has no room for the special tokens.
    """
    length_a, length_b = len(ids_a), 0 if ids_b is None else len(ids_b)
    num_specials = 2 if ids_b is None else 3
    budget = token_budget(max_length, num_specials=num_specials)
    total = length_a + length_b
    if budget is not None and total > budget:
        length_a, length_b = truncated_lengths(length_a, length_b, budget=budget)
    input_ids = np.empty(length_a + length_b + num_specials, np.int64)
    token_type_ids = np.zeros(len(input_ids), np.int64)
    input_ids[0] = cls_id
    input_ids[1 : length_a + 1] = ids_a[:length_a]
    input_ids[length_a + 1] = sep_id
    if ids_b is not None:
        input_ids[length_a + 2 : -1] = ids_b[:length_b]
        input_ids[-1] = sep_id
        token_type_ids[length_a + 2 :] = 1
    return Sequence(input_ids, token_type_ids, truncated=total - length_a - length_b)
