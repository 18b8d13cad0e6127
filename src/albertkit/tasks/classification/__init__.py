"""A label, a number or several labels for a text or a pair of texts. Without torch; the head is in `head.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.examples import TextExample
from albertkit.errors import CheckpointError, DataError, UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.classification.windows import Windows, encode_windows
from albertkit.tasks.encoded import Encoded, unit_logits
from albertkit.tasks.saved import SAVED
from albertkit.tasks.task import Predictions, Task
from albertkit.tasks.truncation import Truncation
from albertkit.text.any_tokenizer import AnyTokenizer

if TYPE_CHECKING:
    from albertkit.datasets.dataset import Dataset
    from albertkit.scoring.baseline import Baseline
    from albertkit.scoring.score import Score, ScoreOptions

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClassificationTask(Task):
    """Classification, regression or multi-label: they differ in targets, loss and reading of the logits."""

    name: str
    """`classification`, `regression` or `multilabel`."""
    problem_type: str
    """The same in the words of a Hugging Face configuration."""
    window_stride: int | None = field(default=None, metadata=SAVED)
    """Tokens from one window of a long text to the next; None cuts long texts instead."""
    max_windows: int | None = field(default=None, metadata=SAVED)
    """Windows of a text at most; None is 8, or 64 by sentence."""
    by_sentence: bool | None = field(default=None, metadata=SAVED)
    """Whether the windows are the whole sentences of a text, instead of those of a stride."""
    temperature: float | None = field(default=None, metadata=SAVED)
    """Classification: what logits are divided by before they become probabilities, fitted after training so that 90 %
    is right in 9 of 10 cases (Guo et al. 2017). The order of the labels, and so the prediction, stays. None: 1."""
    takes_pairs: bool | None = field(default=None, metadata=SAVED)
    """Whether it was trained on pairs of texts; None where nobody knows."""

    head = "classifier"
    onnx_head = "albertkit.tasks.classification.onnx_head:classifier"
    pipeline_tag = "text-classification"
    route = "albertkit.tasks.classification.route:CLASSIFY"

    def __post_init__(self) -> None:
        _ = self.windows  # refuses numbers that cannot be, also where one of the two is left out
        for name, value in (("takes_pairs", self.takes_pairs), ("by_sentence", self.by_sentence)):
            if not isinstance(value, bool | None):
                raise UsageError(f"{name} is {value!r:.40}; it must be true or false")
        if self.temperature is None:
            return
        if not (isinstance(self.temperature, int | float) and 0 < self.temperature < float("inf")):
            raise UsageError(f"the temperature is {self.temperature!r}; it must be above 0")

    @property
    def objective(self) -> str:
        """Where the head and the loss are."""
        return f"albertkit.tasks.classification.head:{self.name.upper()}"

    @property
    def windows(self) -> Windows | None:
        """How long texts are read; None where they are cut.

        Raises:
            UsageError: an invalid number.
        """
        return Windows.of(self.window_stride, self.max_windows, by_sentence=bool(self.by_sentence))

    def reading(self, windows: Windows) -> ClassificationTask:
        """Return the task that reads long texts in these windows."""
        whole = windows.stride is None or None  # None is not saved
        return replace(self, window_stride=windows.stride, max_windows=windows.most, by_sentence=whole)

    def suited_to(self, examples: Sequence[TextExample]) -> Task:
        """Return similarity for pairs that just belong together, which all have a 1."""
        matched = all(example.pair is not None and example.label == 1 for example in examples)
        return TASKS["similarity"] if self.name == "regression" and matched else self

    def num_outputs(self, labels: Sequence[str]) -> int:
        """Return the width of the head's output.

        >>> CLASSIFICATION.num_outputs(("neg", "pos")), REGRESSION.num_outputs(())
        (2, 1)
        """
        return 1 if self.name == "regression" else len(labels)

    def sequences(
        self, tokenizer: AnyTokenizer, examples: Sequence[TextExample], *, max_length: int
    ) -> list[TokenSequence]:
        """Tokenise texts or pairs, each cut to `max_length` tokens, longest part first."""
        if any(example.pair is not None for example in examples):
            pairs = [example.pair or "" for example in examples]
            return tokenizer.sequences([example.text for example in examples], pairs, max_length=max_length)
        return tokenizer.sequences([example.text for example in examples], max_length=max_length)

    def example_of(self, text: str, pair: str | None = None) -> TextExample:
        """Return a text or a pair without a label."""
        return TextExample(text, pair)

    def learned_from(self, examples: Sequence[TextExample]) -> ClassificationTask:
        """Return the task that knows whether these examples are pairs."""
        return replace(self, takes_pairs=any(example.pair is not None for example in examples))

    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[TextExample], *, max_length: int) -> Encoded:
        """Tokenise texts or pairs: one sequence each, or with `windows` as many as a long one needs.

        Raises:
            UsageError: a pair of texts, and the model was trained on single texts.
        """
        if self.takes_pairs is False and any(example.pair is not None for example in examples):
            raise UsageError("this model was trained on single texts; leave out the second text of each (pair)")
        if self.windows is not None:
            return encode_windows(tokenizer, examples, max_length=max_length, windows=self.windows)
        return Encoded.one_each(self.sequences(tokenizer, examples, max_length=max_length))

    def unit_targets(self, encoded: Encoded, examples: Sequence[TextExample], *, num_labels: int) -> npt.NDArray[Any]:
        """Return `targets`: every example is a unit."""
        assert len(encoded) == len(examples)
        return self.targets(examples, num_labels=num_labels)

    def predictions(
        self, outputs: Sequence[FloatArray], encoded: Encoded, examples: Sequence[TextExample], *, labels: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        """Return `decode` of each example's logits, the mean over its sequences."""
        return self.decode(unit_logits(outputs, encoded), labels=labels) if len(examples) else []

    def targets(self, examples: Sequence[TextExample], *, num_labels: int) -> npt.NDArray[Any]:
        """Return `[n]` label numbers (int64), `[n]` numbers (float32) or `[n, labels]` zeros and ones (float32).

        Raises:
            DataError: an example has no label, or is a triplet.
        """
        if any(example.negatives for example in examples):
            raise DataError("the rows are triplets, which only --task similarity reads; it trains vectors")
        for row, example in enumerate(examples):
            if example.label is None:
                raise DataError(f"example {example.id or row} has no label; this split cannot be trained on or scored")
        values: list[Any] = [example.label for example in examples]
        if self.name == "classification":
            return np.array(values, dtype=np.int64)
        if self.name == "regression":
            return np.array(values, dtype=np.float32)
        marks = np.zeros((len(values), num_labels), dtype=np.float32)
        for row, several in enumerate(values):
            marks[row, list(several)] = 1
        return marks

    def predicted(self, logits: FloatArray) -> npt.NDArray[Any]:
        """Return label numbers, numbers, or zeros and ones for logits `[n, outputs]`.

        >>> CLASSIFICATION.predicted(np.array([[0.1, 2.0]], np.float32)).tolist()
        [1]
        """
        if self.name == "classification":
            best: npt.NDArray[np.int64] = logits.argmax(axis=1)
            return best
        if self.name == "regression":
            return logits[:, 0]
        return (logits > 0).astype(np.int64)

    def probabilities(self, logits: FloatArray) -> npt.NDArray[np.float64]:
        """Return probabilities in [0, 1], `[n, labels]`: they add up to 1 except in multi-label.

        Args:
            logits: as the network gives them, `[n, labels]`; those of a classification are divided by `temperature`.
        """
        logits64 = logits.astype(np.float64)
        if self.temperature is not None and self.name == "classification":
            logits64 = logits64 / self.temperature
        if self.name == "multilabel":
            sigmoids: npt.NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * logits64))  # without overflow
            return sigmoids
        raised = np.exp(logits64 - logits64.max(axis=1, keepdims=True))
        shares: npt.NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
        return shares

    def decode(self, logits: FloatArray, *, labels: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return `{label, probabilities}` (or `{labels, probabilities}`, or `{value}`) for each row of logits.

        >>> CLASSIFICATION.decode(np.array([[0.0, 0.0]], np.float32), labels=("no", "yes"))
        [{'label': 'no', 'probabilities': {'no': 0.5, 'yes': 0.5}}]

        Raises:
            CheckpointError: the model has another number of outputs than labels.
        """
        if self.name == "regression":
            return [{"value": float(value)} for value in logits[:, 0]]
        if logits.shape[1] != len(labels):
            raise CheckpointError(
                f"the model gives {logits.shape[1]} numbers per text but has {len(labels)} labels; "
                "its files are not from the same model"
            )
        rows: list[Mapping[str, Any]] = []
        for probabilities, choice in zip(self.probabilities(logits), self.predicted(logits), strict=True):
            named = {label: float(probability) for label, probability in zip(labels, probabilities, strict=True)}
            if self.name == "multilabel":
                rows.append({"labels": [labels[int(k)] for k in np.flatnonzero(choice)], "probabilities": named})
            else:
                rows.append({"label": labels[int(choice)], "probabilities": named})
        return rows

    def render(self, prediction: Mapping[str, Any]) -> str:
        """Return the label with its probability, the labels, or the value.

        >>> CLASSIFICATION.render({"text": "Fine.", "label": "pos", "probabilities": {"neg": 0.1, "pos": 0.9}})
        'pos 90.0%'
        """
        if "value" in prediction:
            return f"{prediction['value']:.3f}"
        if "labels" in prediction:
            return ", ".join(prediction["labels"]) or "(none)"
        return f"{prediction['label']} {prediction['probabilities'][prediction['label']]:.1%}"

    def truncation_note(self, counts: Truncation) -> str:
        """Return the sentence about texts that were cut, or not read after their last window."""
        if self.windows is None:
            return super().truncation_note(counts)
        return (
            f"{counts.truncated:,} of {counts.examples:,} texts are longer than {self.windows.most} windows; "
            f"on average {counts.unread / counts.truncated:,.0f} tokens per text were not read"
        )

    def score_outputs(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[TextExample],
        *,
        labels: Sequence[str],
        metrics: Sequence[str],
        data: str = "",
    ) -> Score:
        """Return `score_logits` of each example's logits, the mean over its sequences."""
        del data
        targets = self.targets(examples, num_labels=max(len(labels), 1))
        logits = unit_logits(outputs, encoded)
        return self.score_logits(logits, targets=targets, labels=labels, metrics=metrics, examples=examples)

    def score_logits(
        self,
        logits: FloatArray,
        *,
        targets: npt.NDArray[Any],
        labels: Sequence[str],
        metrics: Sequence[str],
        examples: Sequence[TextExample] = (),
    ) -> Score:
        """Compute metrics and, for classification, confusion and calibration.

        Args:
            logits: `[n, outputs]`.
            targets: what `targets` gave for the same examples.
            labels: names of the classes.
            metrics: names, the main one first.
            examples: the texts, to show those that went wrong; empty shows none.

        Raises:
            DataError: no examples.
        """
        from albertkit.scoring.calibration import calibration
        from albertkit.scoring.metrics import confusion_matrix, score
        from albertkit.scoring.score import Confusion
        from albertkit.tasks.classification.mistakes import label_mistakes

        num_labels = max(len(labels), 1)
        predicted = self.predicted(logits)
        found = score(metrics, task=self.name, labels_true=targets, outputs=predicted, num_labels=num_labels)
        if examples:
            shares = None if self.name == "regression" else self.probabilities(logits)
            wrong = label_mistakes(examples, targets=targets, predicted=predicted, probabilities=shares, labels=labels)
            found = replace(found, mistakes=wrong)
        if self.name != "classification":
            return replace(found, logits=logits)
        matrix = confusion_matrix(targets, outputs=predicted, num_labels=num_labels)
        before = None
        if self.temperature is not None:
            before = calibration(replace(self, temperature=None).probabilities(logits), labels_true=targets)
        return replace(
            found,
            confusion=Confusion(tuple(labels), tuple(tuple(int(cell) for cell in row) for row in matrix)),
            calibration=calibration(self.probabilities(logits), labels_true=targets),
            calibration_before=before,
            logits=logits,
        )

    def baselines(
        self, train: Dataset, scored: Dataset, *, tfidf: bool = True, say: Callable[[str], None] = lambda _: None
    ) -> list[Baseline]:
        """Score the commonest label and, where it is wanted, TF-IDF with a linear model."""
        from albertkit.scoring.baseline import majority_baseline, tfidf_baseline

        num_labels = max(len(scored.labels), 1)
        common: dict[str, Any] = {"task": self.name, "metrics": train.metrics, "num_labels": num_labels}
        train_targets = self.targets(train.of(TextExample), num_labels=num_labels)
        targets = self.targets(scored.of(TextExample), num_labels=num_labels)
        found = [majority_baseline(train_targets, test_labels=targets, **common)]
        if tfidf:
            say("scoring the baseline: TF-IDF with a linear model")
            texts = [
                [row.text if row.pair is None else (row.text, row.pair) for row in dataset.of(TextExample)]
                for dataset in (train, scored)
            ]
            found.append(
                tfidf_baseline(texts[0], train_labels=train_targets, test_texts=texts[1], test_labels=targets, **common)
            )
        return found

    def score_file(self, dataset: Dataset, path: Path, options: ScoreOptions) -> Score:
        """Score a file of labels or numbers, as GLUE's server does."""
        from albertkit.scoring.metrics import score
        from albertkit.tasks.classification.files import read_labels

        num_labels = max(len(dataset.labels), 1)
        wanted = [example.label for example in dataset.of(TextExample)]
        true, predicted = (
            self.targets([TextExample("", label=label) for label in labels], num_labels=num_labels)
            if self.name == "multilabel"
            else np.asarray(labels)  # numbers with all their digits, which targets round to fp32
            for labels in (wanted, read_labels(dataset, path, options))
        )
        return score(dataset.metrics, task=self.name, labels_true=true, outputs=predicted, num_labels=num_labels)

    def prediction_ending(self, dataset: Dataset) -> str:
        """Return .tsv where labels and ids can be in its cells."""
        from albertkit.tasks.classification.files import fits_cells

        return ".tsv" if fits_cells(dataset) else ".jsonl"

    def prediction_files(self, dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
        """Return index (or id) and prediction in a table, as GLUE's server wants them."""
        from albertkit.tasks.classification.files import label_files

        return label_files(dataset, predictions)


CLASSIFICATION = ClassificationTask("classification", "single_label_classification")
REGRESSION = ClassificationTask("regression", "regression")
MULTILABEL = ClassificationTask("multilabel", "multi_label_classification")
