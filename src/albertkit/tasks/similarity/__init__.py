"""Similarity of two texts: fine-tuning of the vectors themselves. Without torch; head and losses are in `head.py`.

A unit is a pair. Each text is one sequence, and the similarity is the cosine of the two vectors. The scores in the
split select the loss:

    numbers that differ (STS-B, SICK, or 1 and 0)   the order of the pairs          CoSENT
    one number for all (pairs that belong together)  the partner among all others   in-batch negatives
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import TextExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import DataError, UsageError
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.mistakes import Mistake
from albertkit.scoring.score import Score
from albertkit.tasks.baselines import predicted_baseline
from albertkit.tasks.classification.files import fits_cells, label_files
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.similarity.metrics import only_positives, partner_ranks, shared_words, similarity_scores
from albertkit.tasks.similarity.mistakes import pair_mistakes
from albertkit.tasks.task import Predictions, Task
from albertkit.text.any_tokenizer import AnyTokenizer

FloatArray = npt.NDArray[np.float32]


class SimilarityTask(Task):
    """Cosine of the vectors of two texts."""

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
        """Return two sequences a pair, the text's and its partner's, each cut to `max_length` tokens.

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
            texts += [example.text, example.pair]
        sequences = tokenizer.sequences(texts, max_length=max_length)
        numbers = np.arange(len(examples), dtype=np.int64)
        return Encoded(sequences, np.full(len(examples), 2, np.int64), numbers)

    def unit_targets(self, encoded: Encoded, examples: Sequence[TextExample], *, num_labels: int) -> npt.NDArray[Any]:
        """Return what tells the two kinds of learning apart.

        Returns:
            Numbers `[pairs]` (float32); or, for pairs that just belong together, `[pairs, 2]` (int64): a number for
            each different text, by which the same text twice is no wrong answer.

        Raises:
            DataError: an example without a number, or nothing to tell apart.
        """
        del num_labels
        for row, example in enumerate(examples):
            if example.label is None:
                raise DataError(f"example {example.id or row} has no number; this split cannot be trained on or scored")
        if not only_positives(examples):
            return np.array([example.label for example in examples], np.float32)
        if float(np.array(examples[0].label)) <= 0:
            raise DataError(
                f"all {len(examples)} pairs have the number {examples[0].label}, so there is nothing to learn; give "
                "pairs that belong together a 1, or use different numbers"
            )
        known: dict[bytes, int] = {}
        ids = [known.setdefault(one.input_ids.tobytes(), len(known)) for one in encoded.sequences]
        return np.array(ids, np.int64).reshape(-1, 2)

    def predictions(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[TextExample],
        *,
        labels: Sequence[str] = (),
    ) -> list[Mapping[str, Any]]:
        """Return `{similarity}`, a cosine, for each pair.

        Pairs that are labelled as belonging together get, to be scored by, their `rank` (see `partner_ranks`) and
        `other`, the cosine of the text and the partner of the next pair.
        """
        del encoded, labels
        if not len(examples):
            return []
        vectors = np.stack(list(outputs))
        texts, partners = vectors[0::2], vectors[1::2]
        found: list[dict[str, Any]] = [{"similarity": float(cosine)} for cosine in (texts * partners).sum(axis=1)]
        if only_positives(examples) and examples[0].is_labelled:
            others = (texts * np.roll(partners, -1, axis=0)).sum(axis=1)
            for row, rank, other in zip(found, partner_ranks(texts, partners), others, strict=True):
                row |= {"rank": int(rank), "other": float(other)}
        return list(found)

    def render(self, prediction: Mapping[str, Any]) -> str:
        """Return the cosine."""
        return f"{prediction['similarity']:.3f}"

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
