"""The words of a context that answer a question, or that there are none. Without torch; the heads are in `head.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import SpanExample
from albertkit.errors import UsageError
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.question_answering.decode import answers_of
from albertkit.tasks.question_answering.windows import encode_windows, window_targets
from albertkit.tasks.saved import SAVED
from albertkit.text.any_tokenizer import AnyTokenizer

FloatArray = npt.NDArray[np.float32]
NUM_OUTPUTS: Mapping[str, int] = {"span": 2, "answer": 7}
"""Head -> outputs by token: start and end; or start, end given each of the five best starts, and "no answer"."""


@dataclass(frozen=True)
class QuestionAnsweringTask:
    """Question answering with one of two heads; they differ in what the head says of a token, and of no answer."""

    name: str
    """The name in the registry and in `task.json`."""
    head: str
    """`span`: transformers' `qa_outputs` and Google's head for SQuAD 1.1; `answer`: Google's head for SQuAD 2.0."""
    null_threshold: float | None = field(metadata=SAVED)
    """Log odds of "no answer" above which the answer is ""; None always gives words, as SQuAD 1.1 wants them. Training
    tunes it on the validation split."""
    problem_type: None = None
    """Only classifiers have one."""
    metrics: tuple[str, ...] = ("exact", "f1")
    """The official ones, the main one first."""

    def __post_init__(self) -> None:
        value = self.null_threshold
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value)):
            raise UsageError(f"null_threshold is {value!r:.40}; it is a number, log odds such as 0.0, or null")

    @property
    def data_task(self) -> str:
        """What a data set calls it: the same for all three."""
        return "question_answering"

    @property
    def objective(self) -> str:
        """Where the head and the loss are."""
        return f"albertkit.tasks.question_answering.head:{self.head.upper()}"

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return the width of the head's output by token; there are no labels.

        >>> QUESTION_ANSWERING.num_outputs(()), QUESTION_ANSWERING_V2.num_outputs(())
        (2, 7)
        """
        del labels
        return NUM_OUTPUTS[self.head]

    def example_of(self, text: str, pair: str | None = None) -> SpanExample:
        """Return a question with its context, which is the second text.

        Raises:
            UsageError: there is no context.
        """
        if pair is None:
            raise UsageError("a question needs its context: give it as the second text (--pair)")
        return SpanExample(text, pair)

    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[SpanExample], *, max_length: int) -> Encoded:
        """Tokenise questions with their contexts into windows of at most `max_length` tokens; see `encode_windows`."""
        return encode_windows(tokenizer, examples, max_length=max_length)

    def unit_targets(self, encoded: Encoded, examples: Sequence[SpanExample], *, num_labels: int) -> npt.NDArray[Any]:
        """Return the rows of the first and the last token of the answer in each window; see `window_targets`."""
        del num_labels
        return window_targets(encoded, examples)

    def predictions(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[SpanExample],
        *,
        labels: Sequence[str],
        null_threshold: float | None = None,
    ) -> list[Mapping[str, Any]]:
        """Return `{answer, start, end, probability, n_best, no_answer_odds}` of each question; see `answers_of`.

        Args:
            outputs: `[tokens, outputs]` of each window.
            encoded: what `encode` gave.
            examples: the questions.
            labels: not read.
            null_threshold: in place of the task's own.
        """
        del labels
        threshold = self.null_threshold if null_threshold is None else null_threshold
        return answers_of(outputs, encoded, examples, null_threshold=threshold)


QUESTION_ANSWERING = QuestionAnsweringTask("question_answering", "span", None)
QUESTION_ANSWERING_NULL = QuestionAnsweringTask("question_answering_null", "span", 0.0)
"""The span head for SQuAD 2.0, as models for transformers have it: [CLS] as start and end says "no answer"."""
QUESTION_ANSWERING_V2 = QuestionAnsweringTask("question_answering_v2", "answer", 0.0)
