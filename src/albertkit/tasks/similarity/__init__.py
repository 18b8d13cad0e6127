"""Similarity of two texts: fine-tuning of the vectors themselves. Without torch; head and losses are in `head.py`.

A unit is a pair, or a triplet: a pair with negatives. Each text is one sequence, and the similarity is the cosine of
the vectors of the first two. The scores in the split select the loss:

    numbers that differ (STS-B, SICK, or 1 and 0)   the order of the pairs          CoSENT
    one number for all (pairs that belong together)  the partner among all others   in-batch negatives
    triplets                                         .. and among all negatives
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import DataError, UsageError
from albertkit.io.vectors import cut
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.mistakes import Mistake
from albertkit.scoring.score import Score
from albertkit.tasks.baselines import predicted_baseline
from albertkit.tasks.classification.files import fits_cells, label_files
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.saved import saved_as
from albertkit.tasks.similarity.metrics import cosine_rows, only_positives, shared_words, similarity_scores
from albertkit.tasks.similarity.mistakes import pair_mistakes
from albertkit.tasks.task import Predictions, Task
from albertkit.text.any_tokenizer import AnyTokenizer

FloatArray = npt.NDArray[np.float32]


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(size) is int and size > 0 for size in value):
        raise UsageError(f"dimensions is {value!r:.60}, not a list of whole numbers above 0")
    return tuple(value)


@dataclass(frozen=True)
class SimilarityTask(Task):
    """Cosine of the vectors of two texts."""

    dimensions: tuple[int, ...] | None = field(default=None, metadata=saved_as(list, _sizes))
    """Sizes that the vectors were also trained to be cut to, rising; the loss is the mean over these and the whole
    (Matryoshka; Kusupati et al., 2022)."""

    name = "similarity"
    data_task = "regression"
    head = "similarity"
    objective = "albertkit.tasks.similarity.head:SIMILARITY"
    problem_type = None
    onnx_head = "albertkit.tasks.similarity.onnx_head:unit_vectors"
    route = "albertkit.tasks.similarity.route:COMPARE"
    default_pooling = "mean"
    # Vectors that are good before the first step want a low rate. On STS-B dev, Pearson is 77.1 at the start, after an
    # epoch 78.5 at 5e-5, 77.3 at 1e-4 and 70.8 at 2e-4; after four epochs at 5e-5 it is 80.4.
    nano_learning_rate = 5e-5
    nano_epochs = 4
    trains_vectors = True

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return 1: a cosine."""
        del labels
        return 1

    def example_of(self, text: str, pair: str | None = None) -> TextExample:
        """Return a pair without a number.

        Raises:
            UsageError: there is no second text.
        """
        if pair is None:
            raise UsageError("similarity needs two texts: give a second text (--pair, or --pair-column of a table)")
        return TextExample(text, pair)

    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[TextExample], *, max_length: int) -> Encoded:
        """Return the sequences of each text, its partner and its negatives, each cut to `max_length` tokens.

        Raises:
            DataError: an example without a second text.
        """
        texts: list[str] = []
        for number, example in enumerate(examples):
            if example.pair is None:
                raise DataError(
                    f"example {example.id or number} has one text, but similarity needs two; name the column of the "
                    "second with --pair-column"
                )
            texts += [example.text, example.pair, *example.negatives]
        sequences = tokenizer.sequences(texts, max_length=max_length)
        numbers = np.arange(len(examples), dtype=np.int64)
        return Encoded(sequences, np.array([2 + len(row.negatives) for row in examples], np.int64), numbers)

    def unit_targets(self, encoded: Encoded, examples: Sequence[TextExample], *, num_labels: int) -> npt.NDArray[Any]:
        """Return what tells the two kinds of learning apart.

        Returns:
            Numbers `[pairs]` (float32); or, for pairs that just belong together and for triplets, `[pairs, texts]`
            (int64): a number for each different text, by which the same text twice is no wrong answer.

        Raises:
            DataError: an example without a number, or nothing to tell apart.
        """
        del num_labels
        for row, example in enumerate(examples):
            if example.label is None:
                raise DataError(f"example {example.id or row} has no number; this split cannot be trained on or scored")
        if not only_positives(examples):
            if any(example.negatives for example in examples):
                raise DataError("triplets have different numbers, and a triplet has none; give all of them a 1")
            return np.array([example.label for example in examples], np.float32)
        if float(np.array(examples[0].label)) <= 0:
            raise DataError(
                f"all {len(examples)} pairs have the number {examples[0].label}, so there is nothing to learn; give "
                "pairs that belong together a 1, or use different numbers"
            )
        known: dict[bytes, int] = {}
        ids = [known.setdefault(one.input_ids.tobytes(), len(known)) for one in encoded.sequences]
        return np.array(ids, np.int64).reshape(len(examples), -1)  # a table has one number of columns

    def predictions(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[TextExample],
        *,
        labels: Sequence[str] = (),
    ) -> list[Mapping[str, Any]]:
        """Return `{similarity}`, a cosine, for each pair.

        Pairs that are labelled as belonging together get what they are scored by, too (see `cosine_rows`).
        """
        del labels
        if not len(examples):
            return []
        vectors = np.stack(list(outputs))
        texts = [vectors[encoded.starts + place] for place in range(int(encoded.counts[0]))]
        return cosine_rows(texts, ranked=only_positives(examples) and examples[0].is_labelled)

    def render(self, prediction: Mapping[str, Any]) -> str:
        """Return the cosine."""
        return f"{prediction['similarity']:.3f}"

    def score_outputs(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[TextExample],
        *,
        labels: Sequence[str] = (),
        metrics: Sequence[str],
        data: str = "",
    ) -> Score:
        """Return the score of the whole vectors, and for each of `dimensions` some metrics of the vectors cut to it."""
        common: dict[str, Any] = {"labels": labels, "metrics": metrics, "data": data}
        whole = super().score_outputs(outputs, encoded, examples, **common)
        found, intervals = dict(whole.metrics), dict(whole.intervals)
        for size in self.dimensions or ():
            part = super().score_outputs([cut(one, size) for one in outputs], encoded, examples, **common)
            for name in ("spearman", "nearest/accuracy", "triplet/accuracy"):
                if name in part.metrics:
                    found[f"{name}/{size}"] = part.metrics[name]
                    intervals[f"{name}/{size}"] = part.intervals[name]
        return replace(whole, metrics=found, intervals=intervals)

    def score(
        self, predictions: Predictions, examples: Sequence[TextExample], *, labels: Sequence[str] = (), data: str = ""
    ) -> Score:
        """Return `similarity_scores`."""
        del labels, data
        return similarity_scores(examples, predictions)

    def mistakes(
        self, predictions: Predictions, examples: Sequence[TextExample], *, labels: Sequence[str] = ()
    ) -> tuple[Mistake, ...]:
        """Return the pairs whose places by number and by cosine differ most; of pairs that just belong together those
        whose partner is furthest from being the nearest."""
        del labels
        return pair_mistakes(examples, predictions)

    def baselines(
        self, train: Dataset, scored: Dataset, *, tfidf: bool = True, say: Callable[[str], None] = lambda _: None
    ) -> list[Baseline]:
        """Score the words that two texts share."""
        del train, tfidf, say
        words = "counting the words that two texts share"
        return [
            predicted_baseline(
                self, "shared_words", lambda: shared_words(scored.of(TextExample)), scored=scored, words=words
            )
        ]

    def prediction_ending(self, dataset: Dataset) -> str:
        """Return .tsv where ids can be in its cells."""
        return ".tsv" if fits_cells(dataset) else ".jsonl"

    def prediction_files(self, dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
        """Return index (or id) and cosine in a table."""
        return label_files(dataset, predictions)


SIMILARITY = SimilarityTask()
