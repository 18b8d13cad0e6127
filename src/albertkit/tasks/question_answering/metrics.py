"""Exact match and F1 of answers, as SQuAD's official scripts count them.

Source: evaluate-v1.1.py and evaluate-v2.0.py of rajpurkar/SQuAD-explorer. They differ in three things:

    a question without a prediction   v1.1 counts it as wrong; v2.0 leaves it out (a note reports how many)
    an answer without a word          v1.1 gives F1 0; v2.0 gives 1 where both sides are empty
    no right answer                   cannot be in v1.1; in v2.0 the empty text is the right one
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from albertkit.data.examples import SpanExample
from albertkit.errors import DataError, UsageError
from albertkit.scoring.score import NULL_THRESHOLD, Score

VERSIONS = ("1.1", "2.0")
"""Versions of the official script."""

VERSION_OF: Mapping[str, str] = {"squad/v1": "1.1", "squad/v2": "2.0"}
"""Data set -> the version that it is scored with, whatever a part of it holds."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class SpanScore(Score):
    """What a file of answers amounts to: `exact` and `f1`; with null odds also `best_exact` and `best_f1`.

    Of v2.0 it has the parts `HasAns` and `NoAns` where they are there, and with null odds the thresholds
    `best_exact_thresh` and `best_f1_thresh`.
    """

    missing: tuple[str, ...] = ()
    """Ids of questions without a prediction."""
    extra: tuple[str, ...] = ()
    """Ids of predictions that belong to no question."""


def normalize_answer(text: str) -> str:
    """Return a text as the official scripts compare it: lower case, no ASCII punctuation, no articles, single spaces.

    >>> normalize_answer(" The  U.S. Army")
    'us army'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, *, gold: str) -> float:
    """Return 1.0 where both texts are the same once normalized, else 0.0.

    >>> exact_match("the Army", gold="army")
    1.0
    """
    return float(normalize_answer(prediction) == normalize_answer(gold))


def word_f1(prediction: str, *, gold: str, version: str = "2.0") -> float:
    """Return the F1 of the words that two texts share, in [0, 1].

    >>> word_f1("the red house", gold="a red brick house")
    0.8
    >>> word_f1("", gold="the", version="1.1"), word_f1("", gold="the", version="2.0")
    (0.0, 1.0)

    Args:
        prediction: the answer given.
        gold: a right answer.
        version: "1.1" or "2.0", which differ where a side has no word.
    """
    given, wanted = normalize_answer(prediction).split(), normalize_answer(gold).split()
    if version == "2.0" and not (given and wanted):
        return float(given == wanted)
    shared = sum((Counter(given) & Counter(wanted)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(given), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def span_scores(
    examples: Sequence[SpanExample],
    *,
    predictions: Mapping[str, str],
    version: str | None = None,
    null_odds: Mapping[str, float] | None = None,
    null_threshold: float = NULL_THRESHOLD,
) -> SpanScore:
    """Score answers by question id.

    >>> from albertkit.data.examples import Answer
    >>> question = SpanExample("Where?", "In the red house.", (Answer("the red house", 3),), id="q1")
    >>> span_scores([question], predictions={"q1": "Red house!"}).metrics
    {'exact': 100.0, 'f1': 100.0}

    Args:
        examples: the questions, each with its id and right answers.
        predictions: id -> answer; "" says that there is none.
        version: "1.1" or "2.0"; 2.0 where a question has no answer, else 1.1, if None.
        null_odds: v2.0: id -> how sure the model is that there is no answer, as a probability or as log odds. Answers
            with odds above `null_threshold` count as "", and the best thresholds are looked for.
        null_threshold: in the units of `null_odds`.

    Raises:
        UsageError: an unknown version, or null odds for v1.1.
        DataError: no questions; a question without id, twice, or without known answers; none of the predictions
            belongs to a question; or an id without null odds.
    """
    answers = _right_answers(examples)
    if version is None:
        version = "1.1" if all(answers.values()) else "2.0"
    if version not in VERSIONS:
        raise UsageError(f'there is no SQuAD script of version "{version}"; known: {", ".join(VERSIONS)}')
    if null_odds is not None and version == "1.1":
        raise UsageError(
            "null odds work only with SQuAD 2.0, since every question of version 1.1 has an answer; leave them out"
        )
    answered = [key for key in answers if key in predictions]
    if not answered:
        first, other = next(iter(answers)), next(iter(predictions), None)
        found = "there are no predictions" if other is None else f'the first prediction has the id "{other}"'
        raise DataError(
            f'none of the {len(answers)} questions has a prediction ({found}, the first question the id "{first}"); '
            "are the predictions of this split?"
        )
    missing = tuple(key for key in answers if key not in predictions)
    extra = tuple(key for key in predictions if key not in answers)
    exact = {key: _best_exact(predictions[key], answers[key], version) for key in answered}
    f1 = {key: _best_f1(predictions[key], answers[key], version) for key in answered}
    if version == "1.1":
        total = len(answers)  # a missing prediction scores 0
        found_metrics = {"exact": 100 * sum(exact.values()) / total, "f1": 100 * sum(f1.values()) / total}
        return SpanScore(found_metrics, missing=missing, extra=extra)

    answerable = {key: bool(answers[key]) for key in answered}
    metrics, thresholds = {}, {}
    cut = {"exact": exact, "f1": f1}
    if null_odds is not None:
        odds = _checked_odds(null_odds, answered)
        # As in the official script, the best thresholds are looked for on the scores before any threshold.
        for name, scores in cut.items():
            best, threshold = _best_threshold(scores, predictions, odds, answerable)
            metrics[f"best_{name}"], thresholds[f"best_{name}_thresh"] = best, threshold
        cut = {
            name: {
                key: float(not answerable[key]) if odds[key] > null_threshold else value
                for key, value in scores.items()
            }
            for name, scores in cut.items()
        }
    parts = {}
    for part, wanted in (("HasAns", True), ("NoAns", False)):
        keys = [key for key in answered if answerable[key] == wanted]
        if keys:
            parts[part] = {"examples": len(keys), **_means(cut, keys)}
    return SpanScore(
        {**_means(cut, answered), **metrics}, parts=parts, thresholds=thresholds, missing=missing, extra=extra
    )


def best_null_threshold(
    examples: Sequence[SpanExample], *, predictions: Mapping[str, str], null_odds: Mapping[str, float]
) -> float:
    """Return the threshold on null odds with the highest F1 of SQuAD 2.0, to be used on other questions than these.

    The official script's `best_f1_thresh` is the odds of one question. This threshold is halfway to the next odds (at
    most 1 beyond). Questions with equal odds are grouped, and "never answer" is a threshold below all odds.

    >>> from albertkit.data.examples import Answer
    >>> asked = [SpanExample("?", "red", (Answer("red", 0),), "a"), SpanExample("?", "red", (), "b")]
    >>> best_null_threshold(asked, predictions={"a": "red", "b": "red"}, null_odds={"a": -1.0, "b": 0.5})
    -0.25

    Args:
        examples: the questions, each with its id and right answers.
        predictions: id -> the best words, before any threshold.
        null_odds: id -> odds.

    Raises:
        DataError: see `span_scores`; every question needs both.
    """
    answers = _right_answers(examples)
    keys = [key for key in answers if key in predictions]
    odds = _checked_odds(null_odds, keys)
    gains = {  # of an answer over none
        key: _best_f1(predictions[key], answers[key], "2.0") if answers[key] else -float(bool(predictions[key]))
        for key in keys
    }
    steps = sorted({odds[key] for key in keys})
    gain_of = dict.fromkeys(steps, 0.0)
    for key in keys:
        gain_of[odds[key]] += gains[key]
    threshold, total, best = steps[0] - 1.0 if steps else 0.0, 0.0, 0.0
    for step, following in zip(steps, [*steps[1:], math.inf], strict=True):
        total += gain_of[step]
        if total > best:
            best, threshold = total, step + min((following - step) / 2, 1.0)
    return float(threshold)


def _right_answers(examples: Sequence[SpanExample]) -> dict[str, tuple[str, ...]]:
    """Id -> texts of the right answers."""
    answers: dict[str, tuple[str, ...]] = {}
    for row, example in enumerate(examples):
        if example.id is None:
            raise DataError(f"question {row} has no id, so no prediction can be found for it: {example.question:.60}")
        if example.id in answers:
            raise DataError(f'question {row}: the id "{example.id}" was there before; ids must differ')
        if example.answers is None:
            raise DataError(
                f'question "{example.id}" has no known answers, so it cannot be scored; choose another split'
            )
        answers[example.id] = tuple(answer.text for answer in example.answers)
    if not answers:
        raise DataError("there is nothing to score: the split holds 0 questions")
    return answers


def _gold(answers: Iterable[str], version: str) -> list[str]:
    """Return the texts that count as right; v2.0 does not count answers that normalize to nothing."""
    if version == "1.1":
        return list(answers)
    return [answer for answer in answers if normalize_answer(answer)] or [""]


def _best_exact(prediction: str, answers: Iterable[str], version: str) -> float:
    # An empty list cannot be in v1.1's own files (the official script fails there); such a question is always wrong.
    return max((exact_match(prediction, gold=gold) for gold in _gold(answers, version)), default=0.0)


def _best_f1(prediction: str, answers: Iterable[str], version: str) -> float:
    return max((word_f1(prediction, gold=gold, version=version) for gold in _gold(answers, version)), default=0.0)


def _means(scores: Mapping[str, Mapping[str, float]], keys: Sequence[str]) -> dict[str, float]:
    return {name: 100 * sum(values[key] for key in keys) / len(keys) for name, values in scores.items()}


def _checked_odds(null_odds: Mapping[str, float], answered: Sequence[str]) -> Mapping[str, float]:
    without = [key for key in answered if key not in null_odds]
    if without:
        raise DataError(
            f'{len(without)} of {len(answered)} predictions have no null odds (the first is "{without[0]}"); '
            "are the null odds of these predictions?"
        )
    return null_odds


def _best_threshold(
    scores: Mapping[str, float],
    predictions: Mapping[str, str],
    odds: Mapping[str, float],
    answerable: Mapping[str, bool],
) -> tuple[float, float]:
    """Return (best score on 0-100, threshold); go up the odds in the order of the file as the official script does.

    Below the lowest odds every answer is "", so all questions without an answer are right; each step up accepts one
    more answer.
    """
    current = best = float(sum(not has for has in answerable.values()))
    threshold = 0.0
    for key in sorted(odds, key=lambda key: odds[key]):
        if key not in scores:
            continue
        current += scores[key] if answerable[key] else -float(bool(predictions[key]))
        if current > best:
            best, threshold = current, float(odds[key])
    return 100 * best / len(scores), threshold
