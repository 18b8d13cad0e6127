"""Task: one vertical slice from examples to predictions, and all that is done with these.

What a task does without a network (encode, targets, predictions, scores) takes and gives NumPy, so that every runtime
shares it. What needs another library is named as "module:attribute" and imported on first use: the head with its loss
(torch), the head in ONNX (onnx), the HTTP route (pydantic).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albertkit.config import Pooling
from albertkit.errors import UsageError
from albertkit.tasks.encoded import Encoded, UnitTargets
from albertkit.tasks.prediction_rows import json_lines, keys_of
from albertkit.tasks.truncation import Truncation
from albertkit.text.any_tokenizer import AnyTokenizer

if TYPE_CHECKING:  # a prediction needs neither data sets nor scores
    from albertkit.datasets.dataset import Dataset
    from albertkit.scoring.baseline import Baseline
    from albertkit.scoring.mistakes import Mistake
    from albertkit.scoring.score import Score, ScoreOptions

FloatArray = npt.NDArray[np.float32]
Predictions = Sequence[Mapping[str, Any]]
"""One JSON-ready prediction per example."""


class Task(ABC):
    """What every task offers. One more task is a subclass in a folder of its own and a line in `TASKS`."""

    name: str
    """The name in the registry, in data sets and in `task.json`."""
    head: str
    """Name of the head in canonical state: `heads.<head>.*`."""
    problem_type: str | None
    """What a classifier's outputs mean in the words of a Hugging Face configuration; None for other heads."""
    route: str = ""
    """Where the HTTP route is: "module:attribute" of a `tasks.route.Route`; "" where the server offers none."""
    trains_vectors: bool = False
    """Whether the outputs are the pooled vectors themselves, so that the head has no weights."""
    dimensions: tuple[int, ...] | None = None
    """Sizes that vectors were also trained to be cut to (Matryoshka), of a task that trains vectors."""
    default_length: int = 128
    """Longest input in tokens, where neither the user nor a published recipe says one."""
    default_pooling: Pooling | None = None
    """What the head reads whatever the recipe says; None leaves it to the recipe."""
    nano_learning_rate: float = 5e-4
    """Learning rate for albert-nano: small enough for a higher one than a pretrained base."""
    nano_epochs: int = 3
    """Epochs for albert-nano; on film-review snippets it reaches 76 % accuracy in three."""
    score_options: tuple[str, ...] = ()
    """Fields of `ScoreOptions` that `score_file` reads, besides the column."""

    @property
    @abstractmethod
    def objective(self) -> str:
        """Where the head and the loss are: "module:attribute" of an `Objective`."""

    @property
    def onnx_head(self) -> str:
        """Where the head in ONNX is: "module:function" of a `graphs.heads.OnnxHead`; "" where it cannot be exported."""
        return ""

    @property
    def fewest_tokens(self) -> int:
        """Tokens of a sequence below which the head's outputs mean nothing."""
        return 1

    @property
    def data_task(self) -> str:
        """The task that a data set names for which this one is: several may be for the same data."""
        return self.name

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return the width of the head's output for these labels."""
        return len(labels)

    def suited_to(self, examples: Sequence[Any]) -> Task:
        """Return the task for data like these: another one where they need another head."""
        del examples
        return self

    def learned_from(self, examples: Sequence[Any]) -> Task:
        """Return the task that reads raw text as it reads these training examples."""
        del examples
        return self

    @abstractmethod
    def example_of(self, text: str, pair: str | None = None) -> Any:
        """Return what a user's text (and second text) is to this task, not labelled.

        Raises:
            UsageError: the task needs more, or takes no second text.
        """

    def relabelled(self, example: Any, moved: Mapping[int, int]) -> Any:
        """Return an example with its label numbers replaced.

        Args:
            example: labelled or not.
            moved: number -> new number, of every label.
        """
        label = example.label
        if isinstance(label, tuple):
            return replace(example, label=tuple(sorted(moved[one] for one in label)))
        return example if label is None else replace(example, label=moved[label])

    @abstractmethod
    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[Any], *, max_length: int) -> Encoded:
        """Tokenise examples into sequences of at most `max_length` tokens."""

    def truncation_note(self, counts: Truncation) -> str:
        """Return the sentence about texts that were not read whole, of which there are some."""
        return counts.sentence

    @abstractmethod
    def unit_targets(self, encoded: Encoded, examples: Sequence[Any], *, num_labels: int) -> UnitTargets:
        """Return what the loss compares with, for each unit.

        Raises:
            DataError: an example whose answer is not known.
        """

    @abstractmethod
    def predictions(
        self, outputs: Sequence[FloatArray], encoded: Encoded, examples: Sequence[Any], *, labels: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        """Return one JSON-ready prediction per example.

        Args:
            outputs: of each sequence what the objective's `outputs` gave: `[outputs]`, or `[tokens, outputs]`.
            encoded: the examples, tokenised.
            examples: themselves.
            labels: names of the head's outputs.
        """

    def render(self, prediction: Mapping[str, Any]) -> str:
        """Return a prediction as one line for a terminal.

        Args:
            prediction: what `predictions` gave; the example's `text` is in it.
        """
        return json.dumps({name: value for name, value in prediction.items() if name not in ("text", "pair")})

    def score(
        self, predictions: Predictions, examples: Sequence[Any], *, labels: Sequence[str], data: str = ""
    ) -> Score:
        """Return every metric of predictions of labelled examples.

        Args:
            predictions: one per example, as `predictions` gives them.
            examples: labelled, in the same order.
            labels: names of the labels.
            data: name of the data set, which may have a script of its own.

        Raises:
            DataError: nothing to score.
        """
        raise NotImplementedError  # not abstract: a task that scores logits overrides `score_outputs` instead

    def score_outputs(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[Any],
        *,
        labels: Sequence[str],
        metrics: Sequence[str],
        data: str = "",
    ) -> Score:
        """Return the score of what the head gave for labelled examples.

        Args:
            outputs: see `predictions`.
            encoded: the examples, tokenised.
            examples: themselves.
            labels: names of the head's outputs.
            metrics: names of those to give, the main one first.
            data: name of the data set.

        Raises:
            UsageError: a metric that the task does not have.
            DataError: no examples.
        """
        predictions = self.predictions(outputs, encoded, examples, labels=labels)
        found = self.score(predictions, examples, labels=labels, data=data).chosen(metrics, task=self.data_task)
        wrong = self.mistakes(predictions, examples, labels=labels)
        return replace(found, notes=(*self.setting_notes(), *found.notes), mistakes=wrong)

    def mistakes(
        self, predictions: Predictions, examples: Sequence[Any], *, labels: Sequence[str]
    ) -> tuple[Mistake, ...]:
        """Return the labelled examples that went wrong, the worst first (`scoring.mistakes.worst`).

        Args:
            predictions: one per example, as `predictions` gives them.
            examples: labelled, in the same order.
            labels: names of the labels.
        """
        del predictions, examples, labels
        return ()

    def setting_notes(self) -> tuple[str, ...]:
        """Return sentences on settings of the task that a score depends on."""
        return ()

    def tuned(self, outputs: Sequence[FloatArray], encoded: Encoded, examples: Sequence[Any]) -> Task:
        """Return the task with its settings tuned on the validation split; as it is where there are none to tune."""
        del outputs, encoded, examples
        return self

    def baselines(
        self, train: Dataset, scored: Dataset, *, tfidf: bool = True, say: Callable[[str], None] = lambda _: None
    ) -> list[Baseline]:
        """Return what simple methods score on the split that a run is scored on.

        Args:
            train: what the run was trained on.
            scored: the split to score it on.
            tfidf: whether to fit TF-IDF with a linear model, which takes seconds, where the task has it.
            say: called with a sentence before long work.
        """
        del train, scored, tfidf, say
        return []

    def score_file(self, dataset: Dataset, path: Path, options: ScoreOptions) -> Score:
        """Return the official score of a file of predictions that any program may have written.

        Args:
            dataset: the split, with labels.
            path: the predictions; docs/scoring.md has the forms.
            options: columns, null odds, scheme.

        Raises:
            UsageError: the task has no scores of this kind.
            DataError: the file cannot be used, or its rows do not fit the split; the sentence names file and row or id.
            MissingExtraError: Parquet without pyarrow.
        """
        del path, options
        raise UsageError(f"{dataset.name} is a {dataset.task} data set, for which prediction files cannot be scored")

    def prediction_ending(self, dataset: Dataset) -> str:
        """Return the ending of the file that the predictions for a split go into."""
        del dataset
        return ".jsonl"

    def prediction_files(self, dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
        """Return the predictions for a split as files: name -> text, or JSON-ready values. They come first.

        Args:
            dataset: the split, its labels in the model's order.
            predictions: one per example.
        """
        rows = [{"id": key, **row} for key, row in zip(keys_of(dataset.examples), predictions, strict=True)]
        return {"predictions.jsonl": json_lines(rows)}
