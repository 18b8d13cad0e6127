"""Decode a head's outputs per token into answers, in NumPy: n-best of each window, best over windows.

Source: `write_predictions` and its two halves for SQuAD 1.1 and 2.0 in google-research/albert, squad_utils.py, and
run_squad.py of BERT for the score of "no answer" of a span head. They count the same spans; here also

    a text that is blank               is no answer
    no span that may be an answer      the best single token, where the scripts answer "empty"
    the probability of "no answer"     is one of those of the answers, so that all of them add up to 1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import SpanExample
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.question_answering.windows import LONGEST_ANSWER, Window

FloatArray = npt.NDArray[np.float32]

N_BEST = 20
"""Starts and ends that are paired in a window, and answers that share the probability."""
SHOWN = 5
"""Answers that a prediction shows."""
BEAMS = 5
"""Of the answer head: starts that are followed, and ends of each (`start_n_top`, `end_n_top`)."""


class Span(NamedTuple):
    """A span that may be an answer."""

    score: float
    """Of its start and its end together: logits of a span head, log probabilities of an answer head."""
    start: int
    """In characters of the context."""
    end: int
    """Exclusive."""


def answers_of(
    outputs: Sequence[FloatArray],
    encoded: Encoded,
    examples: Sequence[SpanExample],
    *,
    null_threshold: float | None,
    n_best: int = N_BEST,
    longest: int = LONGEST_ANSWER,
) -> list[Mapping[str, Any]]:
    """Return one prediction a question.

    Its keys: `answer`, characters `[start, end)` of the context (always those: `context[start:end] == answer`);
    `probability` in [0, 1]; `n_best`, up to five of the same four, likeliest first; and `no_answer_odds`, the
    smallest over the windows. Of a span head these are the score of [CLS] as start and end less that of the best
    answer; of an answer head, the logit that there is no answer.

    Probabilities are a softmax of the n-best. If `null_threshold` is given, they include "no answer": for a span head
    [CLS] with its score; for an answer head the sigmoid of its logit, and the answers share the rest. So "" may be the
    first entry of an answer head's `n_best` without being the answer.

    Args:
        outputs: of each window `[tokens, 2]` (span head) or `[tokens, 7]` (answer head, see `AnswerObjective`).
        encoded: the windows.
        examples: the questions.
        null_threshold: `no_answer_odds` above it make the answer "" (0.0 is even odds); None always answers with words,
            if the context has any.
        n_best: starts and ends that are paired in each window of a span head; answers that share the probability.
        longest: tokens of the longest answer.
    """
    windows: list[list[int]] = [[] for _ in examples]
    for unit, number in enumerate(encoded.example_ids):
        windows[number].append(unit)
    return [
        _answer(
            [outputs[unit] for unit in units],
            [encoded.details[unit] for unit in units],
            example.context,
            null_threshold=null_threshold,
            n_best=n_best,
            longest=longest,
        )
        for example, units in zip(examples, windows, strict=True)
    ]


def _answer(
    rows: Sequence[FloatArray],
    windows: Sequence[Window],
    context: str,
    *,
    null_threshold: float | None,
    n_best: int,
    longest: int,
) -> Mapping[str, Any]:
    scores = [row.astype(np.float64) for row in rows]
    from_span_head = scores[0].shape[1] == 2
    found: list[Span] = []
    for score, window in zip(scores, windows, strict=True):
        pairs = _pairs(score, n_best) if from_span_head else _beams(score)
        found.extend(_spans(pairs, window, context, longest=longest))
    if not found:
        for score, window in zip(scores, windows, strict=True):
            found.extend(_spans(_single_tokens(score, window), window, context, longest=longest))
    best = _best_by_text(found, context, n_best)

    if from_span_head:
        null = min(float(score[0].sum()) for score in scores)
        odds = null - best[0].score if best else np.inf
        shares = _softmax([*(span.score for span in best), *([null] if null_threshold is not None or not best else [])])
    else:
        odds = min(float(score[0, 6]) for score in scores) if best else np.inf
        none = 0.5 * (1 + np.tanh(0.5 * odds)) if null_threshold is not None or not best else 0.0
        shares = [(1 - none) * share for share in _softmax([span.score for span in best])]
        shares += [float(none)] if null_threshold is not None or not best else []
    entries: list[dict[str, Any]] = [
        {"answer": context[span.start : span.end], "start": span.start, "end": span.end, "probability": share}
        for span, share in zip(best, shares, strict=False)
    ]
    if len(shares) > len(best):
        entries.append({"answer": "", "start": 0, "end": 0, "probability": shares[-1]})
    empty = not best or (null_threshold is not None and odds > null_threshold)
    chosen = entries[-1] if empty else entries[0]
    ordered = sorted(entries, key=lambda entry: -float(entry["probability"]))
    # No word in the context: finite, so that the prediction can be written as JSON.
    return {**chosen, "n_best": ordered[:SHOWN], "no_answer_odds": float(min(odds, 1e30))}


def _pairs(score: npt.NDArray[np.float64], n_best: int) -> Iterator[tuple[int, int, float]]:
    """Yield (start row, end row, score) of the best starts with the best ends of a span head, `[tokens, 2]`."""
    starts, ends = _top(score[:, 0], n_best), _top(score[:, 1], n_best)
    for start in starts:
        for end in ends:
            yield int(start), int(end), float(score[start, 0] + score[end, 1])


def _beams(score: npt.NDArray[np.float64]) -> Iterator[tuple[int, int, float]]:
    """Yield the same of an answer head, `[tokens, 7]`: five starts, and the five best ends of each."""
    starts = _log_softmax(score[:, 0])
    for beam, start in enumerate(_top(score[:, 0], BEAMS)):
        ends = _log_softmax(score[:, 1 + beam])
        for end in _top(score[:, 1 + beam], BEAMS):
            yield int(start), int(end), float(starts[start] + ends[end])


def _single_tokens(score: npt.NDArray[np.float64], window: Window) -> Iterator[tuple[int, int, float]]:
    """Yield every context token as a span of its own."""
    for row in range(window.first_row, window.first_row + len(window)):
        yield row, row, float(score[row, 0] + score[row, 1])


def _spans(pairs: Iterable[tuple[int, int, float]], window: Window, context: str, *, longest: int) -> Iterator[Span]:
    """Keep the pairs that may be an answer: of the context, in order, short, the start with its maximal context."""
    starts, ends, count = window.starts, window.ends, len(window)
    for start_row, end_row, score in pairs:
        first, last = start_row - window.first_row, end_row - window.first_row
        if first < 0 or last >= count or not first <= last < first + longest or not window.max_context[first]:
            continue
        start, end = int(starts[first]), int(ends[last])
        text = context[start:end]
        start += len(text) - len(text.lstrip())
        text = text.strip()
        if text:
            yield Span(score, start, start + len(text))


def _best_by_text(spans: Sequence[Span], context: str, n_best: int) -> list[Span]:
    """Return the n-best, each text once; of equal scores the earlier."""
    best: dict[str, Span] = {}
    for span in sorted(spans, key=lambda span: -span.score):
        best.setdefault(context[span.start : span.end], span)
        if len(best) == n_best:
            break
    return list(best.values())


def _top(column: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    """Return the rows of the largest numbers, largest first, of equal ones the earlier: as the answer head orders."""
    order: npt.NDArray[np.int64] = np.argsort(-column, kind="stable")[:count]
    return order


def _log_softmax(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted: npt.NDArray[np.float64] = column - column.max()
    logs: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return logs


def _softmax(scores: Sequence[float]) -> list[float]:
    if not scores:
        return []
    raised = np.exp(np.array(scores) - max(scores))
    return [float(share) for share in raised / raised.sum()]


def best_words(prediction: Mapping[str, Any]) -> str:
    """Return the best answer that has words, whether or not the prediction is "no answer"; "" where none has.

    >>> best_words({"answer": "", "n_best": [{"answer": ""}, {"answer": "Rome"}]})
    'Rome'
    """
    entries = [prediction, *prediction.get("n_best", ())]
    return next((str(entry["answer"]) for entry in entries if entry["answer"]), "")
