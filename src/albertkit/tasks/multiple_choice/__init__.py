"""Multiple choice: select the option that answers a question about a context. Without torch; see `head.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.examples import ChoiceExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import DataError, UsageError
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.mistakes import Mistake, worst
from albertkit.scoring.score import Score, ScoreOptions
from albertkit.tasks.baselines import predicted_baseline
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.multiple_choice.metrics import choice_scores
from albertkit.tasks.prediction_rows import keys_of
from albertkit.tasks.task import Predictions, Task
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.sequences import build_sequence, truncated_lengths

FloatArray = npt.NDArray[np.float32]

MOST_OPTION_TOKENS = 128
"""Tokens of question and option that are kept, the last ones: race_utils.py, --max_qa_length."""

_BLANK = "_"


def question_with_option(question: str, option: str) -> str:
    """Return the text that is paired with the context: the option in the question's blank, or after the question.

    This follows race_utils.py. Only the first blank is filled; a word that contains an underscore is also a blank.

    >>> question_with_option("He is _ .", "old"), question_with_option("Who is he?", "A cook")
    ('He is old .', 'Who is he? A cook')
    """
    if _BLANK in question:
        return question.replace(_BLANK, option)
    return f"{question} {option}" if question else option


class MultipleChoiceTask(Task):
    """A score for each option; the softmax runs only over the options of one question."""

    name = "multiple_choice"
    head = "choice"
    objective = "albertkit.tasks.multiple_choice.head:MULTIPLE_CHOICE"
    problem_type = None
    onnx_head = "albertkit.graphs.heads:linear"
    route = "albertkit.tasks.multiple_choice.route:CHOOSE"
    default_length = 512  # that of Google's run_race.py
    default_pooling = "pooler"  # what transformers' class reads; the mean was not measured
    nano_epochs = 2  # an example is a whole passage; not tuned

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return 1: the same head scores every option."""
        del labels
        return 1

    def example_of(self, text: str, pair: str | None = None) -> ChoiceExample:
        """Raise an error: a single text is not a choice.

        Raises:
            UsageError: always; the sentence says how to give options.
        """
        del text, pair
        raise UsageError(
            "a multiple choice needs a context, a question and options: give --input FILE.jsonl with rows of "
            '{"context": .., "question": .., "options": [..]}'
        )

    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[ChoiceExample], *, max_length: int) -> Encoded:
        """Return `[CLS] context [SEP] question with option [SEP]` for each option; a unit is an example.

        Of question and option the last `MOST_OPTION_TOKENS` stay, then the longer side loses tokens from its end, as
        race_utils.py has it.

        Raises:
            DataError: an example with fewer than two options.
        """
        for number, example in enumerate(examples):
            if len(example.options) < 2:
                raise DataError(
                    f"example {example.id or number} has {len(example.options)} options; a multiple choice needs at "
                    "least two"
                )
        # Questions share their contexts: each is tokenised once.
        contexts = {text: number for number, text in enumerate(dict.fromkeys(example.context for example in examples))}
        context_ids = tokenizer.ids_of(list(contexts))
        asked = [question_with_option(example.question, option) for example in examples for option in example.options]
        asked_ids = iter(tokenizer.ids_of(asked))
        sequences = []
        for example in examples:
            first = context_ids[contexts[example.context]]
            for _ in example.options:
                second = next(asked_ids)[-MOST_OPTION_TOKENS:]
                sequences.append(_sequence(first, second, tokenizer=tokenizer, max_length=max_length))
        counts = np.array([len(example.options) for example in examples], np.int64)
        return Encoded(sequences, counts, np.arange(len(examples), dtype=np.int64))

    def unit_targets(
        self, encoded: Encoded, examples: Sequence[ChoiceExample], *, num_labels: int
    ) -> npt.NDArray[np.int64]:
        """Return the number of the right option of each example, `[examples]`.

        Raises:
            DataError: it is not known, or there is no such option.
        """
        del encoded, num_labels
        for number, example in enumerate(examples):
            if example.label is None or not 0 <= example.label < len(example.options):
                raise DataError(
                    f"example {example.id or number}: the right option is {example.label}, and there are "
                    f"{len(example.options)}; this split cannot be trained on or scored"
                )
        return np.array([example.label for example in examples], np.int64)

    def predictions(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[ChoiceExample],
        *,
        labels: Sequence[str] = (),
    ) -> list[Mapping[str, Any]]:
        """Return `{choice, option, probabilities}` for each example; `choice` counts from 0."""
        del labels
        found: list[Mapping[str, Any]] = []
        for example, start, count in zip(examples, encoded.starts, encoded.counts, strict=True):
            scores = np.array([outputs[row][0] for row in range(start, start + count)], np.float64)
            raised = np.exp(scores - scores.max())
            best = int(scores.argmax())
            found.append(
                {
                    "choice": best,
                    "option": example.options[best],
                    "probabilities": [float(share) for share in raised / raised.sum()],
                }
            )
        return found

    def render(self, prediction: Mapping[str, Any]) -> str:
        """Return the option."""
        return prediction["option"] or "(none)"

    def score(
        self, predictions: Predictions, examples: Sequence[ChoiceExample], *, labels: Sequence[str] = (), data: str = ""
    ) -> Score:
        """Return accuracy, also of each group of questions where there are several."""
        del labels, data
        found = choice_scores(examples, choices=[row["choice"] for row in predictions])
        parts = found.parts if len(found.parts) > 1 else {}  # one group is all of them
        metrics = {**found.metrics, **{f"{group}/accuracy": row["accuracy"] for group, row in parts.items()}}
        return replace(found, metrics=metrics)

    def mistakes(
        self, predictions: Predictions, examples: Sequence[ChoiceExample], *, labels: Sequence[str] = ()
    ) -> tuple[Mistake, ...]:
        """Return the questions with a wrong option, by its probability."""
        del labels
        keys = keys_of(examples)
        return worst(
            (share, Mistake(key, one.question, one.options[one.label], row["option"], one.context, share))
            for key, one, row in zip(keys, examples, predictions, strict=True)
            if one.label is not None and row["choice"] != one.label
            for share in [row["probabilities"][row["choice"]]]
        )

    def baselines(
        self, train: Dataset, scored: Dataset, *, tfidf: bool = True, say: Callable[[str], None] = lambda _: None
    ) -> list[Baseline]:
        """Score the longest option, and the mean of guessing."""
        del train, tfidf, say
        chance = 100 * float(np.mean([1 / len(example.options) for example in scored.of(ChoiceExample)]))
        words = "choosing the longest option"
        return [
            predicted_baseline(
                self,
                "longest_option",
                lambda: [{"choice": int(np.argmax(list(map(len, row.options))))} for row in scored.of(ChoiceExample)],
                scored=scored,
                words=words,
                trivial=True,
            ),
            Baseline("guessing", {"accuracy": chance}, 0.0, words="guessing", trivial=True),
        ]

    def score_file(self, dataset: Dataset, path: Path, options: ScoreOptions) -> Score:
        """Score a file of options: their letters, numbers or texts."""
        # Imported here, because prediction does not read prediction files.
        from albertkit.datasets.choices import choice_index
        from albertkit.datasets.prediction_files import read_predictions

        examples = dataset.of(ChoiceExample)
        predictions = read_predictions(path, column=options.prediction_column)
        rows = predictions.in_order([example.id for example in examples], what="question")
        choices = predictions.read(rows, lambda row, number: choice_index(row.value, options=examples[number].options))
        return choice_scores(examples, choices=choices)

    def prediction_ending(self, dataset: Dataset) -> str:
        """Return .json."""
        del dataset
        return ".json"

    def prediction_files(self, dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
        """Return the letter of each question's option by id."""
        from albertkit.datasets.choices import LETTERS

        choices = [row["choice"] for row in predictions]
        named = [LETTERS[choice] if choice < len(LETTERS) else choice for choice in choices]
        return {"predictions.json": dict(zip(keys_of(dataset.examples), named, strict=True))}


def _sequence(first: list[int], second: list[int], *, tokenizer: AnyTokenizer, max_length: int) -> TokenSequence:
    budget = max(max_length - 3, 0)
    kept, kept_second = truncated_lengths(len(first), len(second), budget=budget)
    sequence = build_sequence(
        first[:kept], second[:kept_second], max_length=max_length, cls_id=tokenizer.cls_id, sep_id=tokenizer.sep_id
    )
    lost = len(first) - kept + len(second) - kept_second
    return TokenSequence(sequence.input_ids, sequence.token_type_ids, truncated=lost)


MULTIPLE_CHOICE = MultipleChoiceTask()
