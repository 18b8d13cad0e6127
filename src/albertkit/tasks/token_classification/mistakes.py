"""The texts with the most wrong tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from albertkit.data.examples import TokenExample
from albertkit.scoring.mistakes import Mistake, worst
from albertkit.tasks.prediction_rows import keys_of
from albertkit.tasks.token_classification.files import words_of

MOST_WORDS = 10
"""Words of a text that are listed; the others are counted."""


def tag_mistakes(
    examples: Sequence[TokenExample], predicted: Sequence[Sequence[str]], *, labels: Sequence[str]
) -> tuple[Mistake, ...]:
    """Return texts by the number of their wrong tags; only the words with these are listed.

    Args:
        examples: texts with tags.
        predicted: a tag for each word of each text.
        labels: names of the tags.
    """

    def found() -> Iterator[tuple[float, Mistake]]:
        for key, example, given in zip(keys_of(examples), examples, predicted, strict=True):
            wanted = [labels[tag] for tag in example.tags or ()]
            wrong = [row for row, (one, other) in enumerate(zip(wanted, given, strict=True)) if one != other]
            if wrong:
                words = words_of(example)
                more = f" and {len(wrong) - MOST_WORDS} more" if len(wrong) > MOST_WORDS else ""
                expected, answer = (
                    ", ".join(f"{words[row]} {tags[row]}" for row in wrong[:MOST_WORDS]) + more
                    for tags in (wanted, list(given))
                )
                yield len(wrong), Mistake(key, example.text, expected, answer)

    return worst(found())
