"""Every exception that albertkit raises on purpose.

    AlbertkitError                 one sentence for the user: what was wrong, where, what to do
    |-- UsageError                 the call itself is off: an unknown option or name (exit code 2)
    |   `-- ArgumentError          an unknown argument in Python; a TypeError, too
    |-- ConfigError                an invalid configuration value or key
    |-- TextError                  a text that cannot be tokenised (lone surrogates)
    |-- DataError                  a data set's file or row
    |-- CheckpointError            weights: missing, unexpected, mis-shaped, corrupt
    |-- RunError                   a run directory: it exists, it is not one, it cannot resume
    |-- WriteError (files)         the system refused to write; the previous file is unchanged
    |-- DownloadError (consent)    a download that is not allowed, not reachable, or not what was asked for
    `-- MissingExtraError          an optional library that is not installed, with its pip command

`assert` stays for albertkit's own invariants; a foreign exception is translated where it enters, with `from`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path


class AlbertkitError(Exception):
    """Base of all errors meant for users; its text is one sentence that the CLI prints as it is."""

    exit_code = 1


class UsageError(AlbertkitError):
    """The call is off: an unknown name, an option that does not fit."""

    exit_code = 2


class ArgumentError(UsageError, TypeError):
    """An argument that a call does not take; a TypeError, too, as Python's own is."""


class ConfigError(AlbertkitError):
    """An invalid configuration key or value."""


class TextError(AlbertkitError):
    """A text that cannot be tokenised."""


class DataError(AlbertkitError):
    """A data set's file or row that cannot be used."""


class CheckpointError(AlbertkitError):
    """Weights that are missing, unexpected, mis-shaped or corrupt."""


class RunError(AlbertkitError):
    """A run directory that exists already, is not one, or cannot go on."""


class MissingExtraError(AlbertkitError):
    """An optional library is not installed."""

    def __init__(self, library: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {library}, which is not installed: pip install 'albertkit[{extra}]' "
            f"(in a checkout: pip install '.[{extra}]')"
        )


_LONGEST = 100
"""Characters of a name that is compared with others: the comparison takes the product of the lengths."""

_MOST_NAMES = 10_000
"""Names that are compared: a table with more columns gets no hint from the rest."""

_LEAST_ALIKE = 0.6
"""Ratio of `difflib` from which names are alike; its own default."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the known name nearest to `name`, or an empty string.

    Of names that are equally near, the first in the order of `known` counts.

    >>> did_you_mean("albert-nan", ["albert-nano", "albert-base-v2"])
    '; did you mean "albert-nano"?'
    >>> did_you_mean("zzz", ["albert-nano"])
    ''
    """
    if len(name) > _LONGEST:
        return ""
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(name)
    nearest, best = None, _LEAST_ALIKE
    for each in islice(sorted(known) if isinstance(known, set | frozenset) else known, _MOST_NAMES):
        if len(each) > _LONGEST:
            continue
        matcher.set_seq1(each)
        bounds = (matcher.real_quick_ratio, matcher.quick_ratio)  # cheap, and never below the ratio
        if any(bound() < best for bound in bounds):
            continue
        ratio = matcher.ratio()
        if ratio > best or (nearest is None and ratio == best):
            nearest, best = each, ratio
    return "" if nearest is None else f'; did you mean "{nearest}"?'


def check_arguments(given: Iterable[str], known: Iterable[str], *, of: str) -> None:
    """Refuse arguments that a call does not take.

    >>> check_arguments(["epocs"], ["epochs", "seed"], of="FinetuneSettings")
    Traceback (most recent call last):
    albertkit.errors.ArgumentError: FinetuneSettings has no setting "epocs"; did you mean "epochs"?

    Args:
        given: names of the arguments.
        known: names that it takes.
        of: what is called.

    Raises:
        ArgumentError: names the first unknown one and the nearest known one.
    """
    names = list(known)
    for name in given:
        if name not in names:
            hint = did_you_mean(name, names) or f" (known: {', '.join(names)})"
            raise ArgumentError(f'{of} has no setting "{name}"{hint}')


def nearest_file(path: Path) -> str:
    """Return `did_you_mean` for a file that does not exist, among the files of its folder."""
    try:
        return did_you_mean(path.name, [entry.name for entry in islice(path.parent.iterdir(), _MOST_NAMES)])
    except OSError:
        return ""
