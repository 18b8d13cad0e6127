"""The questions with the most confident wrong answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from albertkit.data.examples import SpanExample
from albertkit.scoring.mistakes import Mistake, worst
from albertkit.tasks.prediction_rows import keys_of
from albertkit.tasks.question_answering.metrics import word_f1
from albertkit.tasks.task import Predictions

_NOTHING = "(no answer)"


def answer_mistakes(examples: Sequence[SpanExample], predictions: Predictions) -> tuple[Mistake, ...]:
    """Return questions whose answer shares no word with any right one, by its probability.

    Args:
        examples: questions with answers.
        predictions: `answer` of each, and its `probability` where the model gives one.
    """

    def found() -> Iterator[tuple[float, Mistake]]:
        for key, example, row in zip(keys_of(examples), examples, predictions, strict=True):
            right = [answer.text for answer in example.answers or ()] or [""]
            answer, share = str(row["answer"]), row.get("probability")
            if not any(word_f1(answer, gold=gold) for gold in right):
                expected = " / ".join(dict.fromkeys(right)) or _NOTHING
                wrong = Mistake(key, example.question, expected, answer or _NOTHING, example.context, share)
                yield share or 0.0, wrong

    return worst(found())
