"""Find the position of an answer in its context."""

from __future__ import annotations

import re
from typing import Any

from albertkit.data.examples import Answer


def find_answer(context: str, *, text: str, start: int | None) -> Answer | None:
    """Return the answer where `start` says; else its nearest occurrence; else None.

    Blanks of any kind and number between the words count as equal, as in the official scripts, which search for the
    answer with its blanks made single (google-research/albert, squad_utils.py). The text returned is the context's.

    >>> find_answer("a cat, a cat", text="a cat", start=6)
    Answer(text='a cat', start=7)
    >>> find_answer("New  York", text="New York", start=None)
    Answer(text='New  York', start=0)

    Args:
        context: the text that holds the answer.
        text: the answer as the file gives it.
        start: where the file says that it begins, in characters of the context; the first occurrence if None.
    """
    if start is not None and start >= 0 and context.startswith(text, start):
        return Answer(text, start)
    words = text.split()
    if not words:
        return None
    occurrences = [match.start() for match in re.finditer(f"(?={re.escape(text)})", context)]
    if occurrences:
        return Answer(text, min(occurrences, key=lambda at: (abs(at - (start or 0)), at)))
    loose = re.compile(r"\s+".join(map(re.escape, words)))
    found = min(loose.finditer(context), key=lambda match: abs(match.start() - (start or 0)), default=None)
    return None if found is None else Answer(found.group(), found.start())


def checked_answers(answers: Any) -> list[tuple[str, int | None]]:
    """Return (text, start) of each answer in either published layout.

    >>> checked_answers([{"text": "a cat", "answer_start": 7}])
    [('a cat', 7)]
    >>> checked_answers({"text": ["a cat"], "answer_start": [7]})
    [('a cat', 7)]

    Args:
        answers: SQuAD's list of objects, or the hub's object of two lists; `answer_start` may be absent.

    Raises:
        ValueError: neither of these; the sentence is for `BadRows.add`.
    """
    if isinstance(answers, dict):
        texts = answers.get("text")
        starts = answers.get("answer_start")
        if not isinstance(texts, list) or not isinstance(starts, list | None):
            raise ValueError('"answers" needs the lists "text" and "answer_start"')
        starts = [None] * len(texts) if starts is None else starts
        if len(texts) != len(starts):
            raise ValueError(f'"answers" holds {len(texts)} texts and {len(starts)} of "answer_start"')
    elif isinstance(answers, list) and all(isinstance(answer, dict) for answer in answers):
        texts = [answer.get("text") for answer in answers]
        starts = [answer.get("answer_start") for answer in answers]
    else:
        raise ValueError(f'"answers" is {answers!r:.40}, not a list of {{"text", "answer_start"}}')
    for text, start in zip(texts, starts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"an answer's text is {text!r:.40}, not words of the context")
        if start is not None and (not isinstance(start, int) or isinstance(start, bool)):
            raise ValueError(f'"answer_start" is {start!r:.40}, not a whole number')
    return list(zip(texts, starts, strict=True))
