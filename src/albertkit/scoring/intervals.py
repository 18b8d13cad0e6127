"""Compute 95 % confidence intervals of scores, for other examples of the same kind.

    shares         accuracy, exact match, precision, recall; the mean of scores from 0 to 100: Wilson's interval
    F1             Wilson's interval of TP / (TP + FP + FN), of which F1 is a function; macro F1: those of all labels
                   combined (Zou and Donner's MOVER), where one error counts in two labels
    correlations   Fisher's interval, also for Matthews'

Each of them counts examples (for tags: words and entities) as independent of each other. All numbers are on 0-100,
correlations on -100 to 100.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Interval = tuple[float, float]
"""The lower and the upper end."""

WIDEST = 30.0
"""Points. A score with a wider interval says nothing: it could as well be 15 points higher or lower."""

_Z = 1.959964  # of the normal distribution, for 95 %
_CORRELATIONS = ("mcc", "pearson", "spearman")


def share_interval(value: float, count: float) -> Interval:
    """Return Wilson's interval of a share.

    Args:
        value: the share, on 0-100.
        count: of how many.

    >>> low, high = share_interval(100 * 2 / 3, 3)
    >>> round(low, 1), round(high, 1)
    (20.8, 93.9)
    """
    if not count:
        return 0.0, 100.0
    share, square = value / 100, _Z * _Z / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square * square / 4) / (1 + square)
    return max(0.0, 100 * (middle - half)), min(100.0, 100 * (middle + half))


def f1_interval(right: int, *, given: int, wanted: int) -> Interval:
    """Return the interval of an F1.

    Args:
        right: number that was given and wanted.
        given: number of predicted ones.
        wanted: number of true ones.

    >>> low, high = f1_interval(8, given=10, wanted=10)  # F1 80; 8 of 12 are right
    >>> round(low, 1), round(high, 1)
    (56.2, 92.6)
    """
    either = given + wanted - right
    ends = share_interval(100 * right / either if either else 0.0, either)
    low, high = (100 * 2 * end / (100 + end) for end in ends)
    return low, high


def mean_interval(values: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """Return the interval of the mean of scores of labels.

    Squares add up where the scores are independent. One error lowers two of them, the label's that is missing and the
    label's that was given, which at most doubles the sum.

    >>> [round(end) for end in mean_interval([50, 50, 50, 50], [(40, 70)] * 4)]
    [43, 64]
    """
    middle = sum(values) / len(values)
    down = [value - low for value, (low, _) in zip(values, intervals, strict=True)]
    up = [high - value for value, (_, high) in zip(values, intervals, strict=True)]
    lower, upper = (min(math.sqrt(2 * sum(part**2 for part in parts)), sum(parts)) for parts in (down, up))
    return middle - lower / len(values), middle + upper / len(values)


def correlation_interval(value: float, count: int) -> Interval:
    """Return Fisher's interval of a correlation.

    A perfect correlation of few examples would get no width; it is taken to be 1 - 1 / count.

    Args:
        value: the correlation, on -100 to 100.
        count: number of examples.

    >>> [round(end, 1) for end in correlation_interval(80.0, 30)]
    [61.8, 90.1]
    >>> correlation_interval(100.0, 3)
    (-100.0, 100.0)
    """
    if count <= 3:
        return -100.0, 100.0
    most = 1 - 1 / count
    middle, half = math.atanh(min(most, max(-most, value / 100))), _Z / math.sqrt(count - 3)
    low, high = 100 * math.tanh(middle - half), 100 * math.tanh(middle + half)
    return min(low, value), max(high, value)


def difference_spread(one: float, other: float, *, metric: str, examples: int) -> float:
    """Return how large a difference of two scores chance explains in 95 of 100 cases, in points.

    >>> round(difference_spread(76.3, 75.1, metric="accuracy", examples=1066), 1)
    3.6

    Args:
        one: a score on 0-100, of a correlation -100 to 100.
        other: another score on the same examples.
        metric: its name.
        examples: number of them.
    """
    if metric in _CORRELATIONS:
        errors = [(1 - (score / 100) ** 2) / math.sqrt(max(examples - 1, 1)) for score in (one, other)]
    else:
        # One right and one wrong example more: else all right out of ten would have no spread at all.
        shares = [(min(max(score, 0.0), 100.0) / 100 * examples + 1) / (examples + 2) for score in (one, other)]
        errors = [math.sqrt(share * (1 - share) / max(examples, 1)) for share in shares]
    return 100 * _Z * math.hypot(*errors)


def says_nothing(interval: Interval | None) -> bool:
    """Return whether a score has too few examples to mean anything: its interval is wider than `WIDEST`.

    >>> says_nothing((20.8, 93.9)), says_nothing((80.0, 90.0)), says_nothing(None)
    (True, False, False)
    """
    return interval is not None and interval[1] - interval[0] > WIDEST


def too_few(examples: int | None) -> str:
    """Return what takes the place of a score that says nothing.

    >>> too_few(3)
    'too few examples to score (3)'
    """
    return "too few examples to score" + ("" if examples is None else f" ({examples:,})")
