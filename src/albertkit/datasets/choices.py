"""One question with options of which one is right: what a row must hold."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from albertkit.data.examples import ChoiceExample
from albertkit.datasets.labels import is_missing
from albertkit.datasets.rows import checked_text

LETTERS = string.ascii_uppercase
"""How RACE names its options."""


def choice_index(value: Any, *, options: Sequence[str]) -> int:
    """Return the index of an option, the right one or the one chosen, given by letter or by number from 0.

    >>> choice_index("B", options=("yes", "no")), choice_index(1, options=("yes", "no"))
    (1, 1)

    Raises:
        ValueError: neither, or beyond the options; the sentence is for `BadRows.add`.
    """
    if is_missing(value):
        raise ValueError("the option is missing")
    word = str(value).strip()
    if isinstance(value, int) and not isinstance(value, bool):
        index = value
    elif len(word) == 1 and word.upper() in LETTERS:
        index = LETTERS.index(word.upper())
    elif word.isascii() and word.isdigit():
        index = int(word)
    else:
        raise ValueError(f"the option {value!r:.40} is neither a letter from A nor a number from 0")
    if not 0 <= index < len(options):
        last = LETTERS[len(options) - 1] if len(options) <= len(LETTERS) else str(len(options) - 1)
        raise ValueError(
            f'the option "{word:.40}" is not there: there are {len(options)}, A to {last} or 0 to {len(options) - 1}'
        )
    return index


def make_choice(
    *,
    context: Any,
    question: Any,
    options: Any,
    label: Any = None,
    labelled: bool = True,
    name: str | None = None,
    group: str | None = None,
) -> ChoiceExample:
    """Return the example that a row is.

    >>> make_choice(context="It is red.", question="Its colour is _ .", options=["red", "blue"], label="A").label
    0

    Args:
        context: the text that the question is about; may be empty.
        question: may hold "_" where the option goes; may be empty where the context is not.
        options: two or more texts.
        label: the right option by letter or by number from 0.
        labelled: False where the right option is not known; then `label` is not looked at.
        name: the row's own name.
        group: a part of the data set that is scored apart, too.

    Raises:
        ValueError: one of them is invalid; the sentence is for `BadRows.add`.
    """
    article, asked = checked_text(context, column="context"), checked_text(question, column="question")
    if not article.strip() and not asked.strip():
        raise ValueError("both context and question are empty")
    if isinstance(options, str) or not isinstance(options, Sequence):
        raise ValueError(f'"options" is {"missing" if options is None else repr(options)[:40]}, not a list of texts')
    if len(options) < 2:
        raise ValueError(f"{len(options) or 'no'} option{'s' * (not options)}, but a choice needs two or more")
    texts = tuple(checked_text(option, column="options") for option in options)
    index = choice_index(label, options=texts) if labelled else None
    return ChoiceExample(article, asked, texts, index, name, group)
