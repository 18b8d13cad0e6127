"""The words of a context that answer a question, or that there are none. Without torch; the heads are in `head.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import SpanExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import UsageError
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.mistakes import Mistake
from albertkit.scoring.score import Score, ScoreOptions
from albertkit.tasks.baselines import predicted_baseline
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.question_answering.decode import BEAMS, answers_of, best_words
from albertkit.tasks.question_answering.files import answer_files, score_answers
from albertkit.tasks.question_answering.metrics import best_null_threshold
from albertkit.tasks.question_answering.mistakes import answer_mistakes
from albertkit.tasks.question_answering.scores import numbered, question_scores
from albertkit.tasks.question_answering.windows import encode_windows, window_targets
from albertkit.tasks.saved import SAVED
from albertkit.tasks.task import Predictions, Task
from albertkit.tasks.truncation import Truncation
from albertkit.text.any_tokenizer import AnyTokenizer

FloatArray = npt.NDArray[np.float32]
NUM_OUTPUTS: Mapping[str, int] = {"span": 2, "answer": 7}
"""Head -> outputs by token: start and end; or start, end given each of the five best starts, and "no answer"."""

ONNX_HEADS: Mapping[str, str] = {
    "span": "albertkit.graphs.heads:linear",
    "answer": "albertkit.tasks.question_answering.onnx_head:answer",
}
"""Head -> where it is in ONNX."""
_SENTENCE_ENDS = (". ", "? ", "! ")


@dataclass(frozen=True)
class QuestionAnsweringTask(Task):
    """Question answering with one of two heads; they differ in what the head says of a token, and of no answer."""

    name: str
    """The name in the registry and in `task.json`."""
    head: str
    """`span`: transformers' `qa_outputs` and Google's head for SQuAD 1.1; `answer`: Google's head for SQuAD 2.0."""
    null_threshold: float | None = field(metadata=SAVED)
    """Log odds of "no answer" above which the answer is ""; None always gives words, as SQuAD 1.1 wants them. Training
    tunes it on the validation split."""

    data_task = "question_answering"
    problem_type = None
    route = "albertkit.tasks.question_answering.route:ANSWER"
    default_length = 384  # that of Google's run_squad scripts
    nano_epochs = 2  # an example is a whole passage; not tuned
    score_options = ("null_odds",)

    def __post_init__(self) -> None:
        value = self.null_threshold
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value)):
            raise UsageError(f"null_threshold is {value!r:.40}; it is a number, log odds such as 0.0, or null")

    @property
    def objective(self) -> str:
        """Where the head and the loss are."""
        return f"albertkit.tasks.question_answering.head:{self.head.upper()}"

    @property
    def onnx_head(self) -> str:
        """Where the head in ONNX is."""
        return ONNX_HEADS[self.head]

    @property
    def fewest_tokens(self) -> int:
        """Of a window with fewer tokens than the answer head follows starts, the columns of the others mean nothing."""
        return BEAMS if self.head == "answer" else 1

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return the width of the head's output by token; there are no labels.

        >>> QUESTION_ANSWERING.num_outputs(()), QUESTION_ANSWERING_V2.num_outputs(())
        (2, 7)
        """
        del labels
        return NUM_OUTPUTS[self.head]

    def suited_to(self, examples: Sequence[SpanExample]) -> Task:
        """Return the task whose head can say that there is no answer, where a question has none."""
        return QUESTION_ANSWERING_NULL if any(not example.answers for example in examples) else self

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

    def truncation_note(self, counts: Truncation) -> str:
        """Return the sentence about questions that were cut; contexts are read in windows."""
        return f"{counts.truncated:,} of {counts.examples:,} questions left no room for a context and were truncated"

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

    def render(self, prediction: Mapping[str, Any]) -> str:
        """Return the answer."""
        return prediction["answer"] or "(none)"

    def score(
        self, predictions: Predictions, examples: Sequence[SpanExample], *, labels: Sequence[str] = (), data: str = ""
    ) -> Score:
        """Return `question_scores`."""
        del labels
        return question_scores(predictions, examples, data=data)

    def mistakes(
        self, predictions: Predictions, examples: Sequence[SpanExample], *, labels: Sequence[str] = ()
    ) -> tuple[Mistake, ...]:
        """Return the questions whose answer shares no word with a right one."""
        del labels
        return answer_mistakes(examples, predictions)

    def setting_notes(self) -> tuple[str, ...]:
        """Return a note with the log odds above which there is no answer."""
        if self.null_threshold is None:
            return ()
        return (f"a question counts as unanswerable if the log odds of that exceed {self.null_threshold:.4g}",)

    def tuned(self, outputs: Sequence[FloatArray], encoded: Encoded, examples: Sequence[SpanExample]) -> Task:
        """Return the task with the threshold that has the best F1 on these questions.

        Nothing is tuned for a task that always answers, nor where all of the questions have an answer, or none has.
        """
        if self.null_threshold is None or len({bool(example.answers) for example in examples}) < 2:
            return self
        predictions = self.predictions(outputs, encoded, examples, labels=(), null_threshold=math.inf)
        threshold = best_null_threshold(
            numbered(examples),
            predictions={str(number): best_words(row) for number, row in enumerate(predictions)},
            null_odds={str(number): float(row["no_answer_odds"]) for number, row in enumerate(predictions)},
        )
        return replace(self, null_threshold=threshold)

    def baselines(
        self, train: Dataset, scored: Dataset, *, tfidf: bool = True, say: Callable[[str], None] = lambda _: None
    ) -> list[Baseline]:
        """Score the context's first sentence and, where some questions have no answer, none at all."""
        del train, tfidf, say
        examples = scored.of(SpanExample)
        found = [
            predicted_baseline(
                self,
                "first_sentence",
                lambda: [{"answer": first_sentence(example.context)} for example in examples],
                scored=scored,
                words="answering with the first sentence of the context",
                trivial=True,
            )
        ]
        if any(not example.answers for example in examples):
            nothing = [{"answer": ""} for _ in examples]
            words = "never answering"
            found.append(
                predicted_baseline(self, "no_answer", lambda: nothing, scored=scored, words=words, trivial=True)
            )
        return found

    def score_file(self, dataset: Dataset, path: Path, options: ScoreOptions) -> Score:
        """Score a file of answers as SQuAD's official scripts do."""
        return score_answers(dataset, path, options)

    def prediction_ending(self, dataset: Dataset) -> str:
        """Return .json."""
        del dataset
        return ".json"

    def prediction_files(self, dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
        """Return answers by id, n-best lists and, where a question may have no answer, odds."""
        return answer_files(dataset, predictions)


def first_sentence(context: str) -> str:
    """Return a context up to its first full stop, question mark or exclamation mark before a blank.

    >>> first_sentence("It rained. We left.")
    'It rained.'
    """
    ends = [place + 1 for mark in _SENTENCE_ENDS if (place := context.find(mark)) >= 0]
    return context[: min(ends)] if ends else context


def with_null_threshold(task: Task | None, threshold: float) -> Task:
    """Return the task of a model with another threshold than the one tuned in training.

    Raises:
        UsageError: it is no task of questions, or the threshold is no number.
    """
    if not isinstance(task, QuestionAnsweringTask):
        name = "a model without a task" if task is None else f"a {task.name} model"
        raise UsageError(
            f"a threshold for no answer works only for question answering, but this is {name}; leave it out"
        )
    return replace(task, null_threshold=threshold)


QUESTION_ANSWERING = QuestionAnsweringTask("question_answering", "span", None)
QUESTION_ANSWERING_NULL = QuestionAnsweringTask("question_answering_null", "span", 0.0)
"""The span head for SQuAD 2.0, as models for transformers have it: [CLS] as start and end says "no answer"."""
QUESTION_ANSWERING_V2 = QuestionAnsweringTask("question_answering_v2", "answer", 0.0)
