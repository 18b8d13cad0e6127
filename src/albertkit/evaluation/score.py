"""Official scores of anybody's predictions: a split, a file, and what the benchmark's own script would say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from albertkit.data.examples import ChoiceExample, SpanExample, TextExample, TokenExample
from albertkit.datasets.choices import choice_index
from albertkit.datasets.dataset import Dataset, DataSource, require_labelled
from albertkit.datasets.labels import label_index, parse_label
from albertkit.datasets.tags import known_tag
from albertkit.errors import DataError, UsageError
from albertkit.evaluation.choice_metrics import choice_scores
from albertkit.evaluation.metrics import metric_title, score
from albertkit.evaluation.prediction_files import (
    PredictedRow,
    Predictions,
    read_numbers,
    read_predictions,
    read_tags,
)
from albertkit.evaluation.span_metrics import NULL_THRESHOLD, VERSION_OF, span_scores
from albertkit.evaluation.tag_metrics import tag_scores

if TYPE_CHECKING:
    from rich.console import Console

Read = TypeVar("Read")


@dataclass(frozen=True)
class ScoreOptions:
    """What a file of predictions may need besides itself."""

    prediction_column: str | None = None
    """Column (or key) of the predictions; found by its usual names if None."""
    null_odds: str | os.PathLike[str] | None = None
    """SQuAD 2.0: a JSON file of id -> odds that there is no answer."""
    null_threshold: float = NULL_THRESHOLD
    """SQuAD 2.0: an answer counts as "" where its null odds are above."""
    scheme: str | None = None
    """Tags: IOB2 or IOBES for seqeval's strict mode; its default, which is conlleval's, if None."""


@dataclass(frozen=True)
class PredictionScore:
    """The scores of a file of predictions."""

    data: str
    """Name of the data set."""
    split: str
    task: str
    examples: int
    """Number of examples in the split."""
    metrics: dict[str, float]
    """Name -> value on 0-100 (correlations: -100 to 100), the main one first."""
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    """Part of the split (HasAns and NoAns, middle and high, entity types) -> its `examples` and its metrics."""
    thresholds: dict[str, float] = field(default_factory=dict)
    """SQuAD 2.0 with null odds: the thresholds of the best scores, in the units of the odds."""
    notes: tuple[str, ...] = ()
    """Sentences: what was left out, and why a number is what it is."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; parts, thresholds and notes only where there are some."""
        values: dict[str, Any] = {
            "task": self.task,
            "data": self.data,
            "split": self.split,
            "examples": self.examples,
            "metrics": self.metrics,
        }
        more = {"parts": self.parts, "thresholds": self.thresholds, "notes": list(self.notes)}
        return {**values, **{name: value for name, value in more.items() if value}}

    def render(self, console: Console) -> None:
        """Print the scores as a table, a row for the whole split and one for each part."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        console.print(f"{self.data}, {self.split}", style="bold", markup=False, highlight=False)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("part")
        table.add_column("examples", justify="right")
        for name in self.metrics:
            table.add_column(Text(metric_title(name)), justify="right")
        for part, values in ({"all": {"examples": self.examples, **self.metrics}} | self.parts).items():
            numbers = [f"{values[name]:.2f}" if name in values else "" for name in self.metrics]
            table.add_row(Text(part), f"{int(values['examples']):,}", *numbers)
        console.print(table)
        for name, threshold in self.thresholds.items():
            console.print(f"{name}: {threshold:g}", markup=False, highlight=False)
        for note in self.notes:
            console.print(f"Note: {note}", markup=False, highlight=False)


def score_file(
    dataset: Dataset, path: str | os.PathLike[str], *, options: ScoreOptions | None = None
) -> PredictionScore:
    """Score a file of predictions for a split with the data set's official metrics.

    Args:
        dataset: the split, with labels.
        path: the predictions; docs/scoring.md has the forms for each task.
        options: columns, null odds, scheme; all as usual if None.

    Raises:
        UsageError: an option does not go with the task, or the task has no scores of this kind.
        DataError: the file cannot be used, or its rows do not fit the split; the sentence names file and row or id.
        MissingExtraError: Parquet without pyarrow.
    """
    chosen = options or ScoreOptions()
    scorer = _SCORERS.get(dataset.task)
    if scorer is None:
        raise UsageError(
            f"{dataset.name} is a {dataset.task} data set, which no file of predictions is scored for; "
            f"the tasks that are: {', '.join(_SCORERS)}"
        )
    if chosen.null_odds is not None and dataset.task != "question_answering":
        raise UsageError(f"--null-odds goes with SQuAD 2.0, but {dataset.name} is a {dataset.task} data set")
    if chosen.scheme is not None and dataset.task != "token_classification":
        raise UsageError(f"--scheme goes with tags, but {dataset.name} is a {dataset.task} data set")
    require_labelled(dataset)
    found = scorer(dataset, Path(path), chosen)
    left_out = len(dataset.skipped)
    if not left_out:
        return found
    note = f"{left_out} rows of the split cannot be used and are not scored (the first: {dataset.skipped[0]})"
    return PredictionScore(**{**vars(found), "notes": (note, *found.notes)})


def default_split(source: DataSource, name: str | None) -> Dataset:
    """Return the named split; without a name `dev`, else the only split there is, else the last that is labelled.

    Raises:
        UsageError: there is no such split.
    """
    if name is not None:
        return source.split(name)
    if "dev" in source.splits or len(source.splits) == 1:
        return source.split("dev" if "dev" in source.splits else source.splits[0])
    for candidate in reversed(source.splits):
        dataset = source.split(candidate)
        if all(example.is_labelled for example in dataset.examples):
            return dataset
    return source.split(source.splits[-1])


def _score_spans(dataset: Dataset, path: Path, options: ScoreOptions) -> PredictionScore:
    examples = with_ids(dataset.of(SpanExample))
    predictions = read_predictions(path, column=options.prediction_column)
    answers = _read_rows(predictions, list(predictions.by_id().values()), _answer)
    score = span_scores(
        examples,
        predictions=dict(zip(predictions.by_id(), answers, strict=True)),
        version=VERSION_OF.get(dataset.name),
        null_odds=None if options.null_odds is None else read_numbers(Path(options.null_odds)),
        null_threshold=options.null_threshold,
    )
    notes = []
    if score.missing:
        # The two official scripts differ here; the sentence says which rule the number follows.
        how = "left out, as evaluate-v2.0.py does" if score.parts else "counted as wrong, as evaluate-v1.1.py does"
        notes.append(f"{len(score.missing)} of {len(examples)} questions have no prediction and are {how} "
                     f"(the first: {score.missing[0]})")  # fmt: skip
    if score.extra:
        notes.append(f"{len(score.extra)} predictions belong to no question of the split (the first: {score.extra[0]})")
    if score.thresholds:
        notes.append("best_exact and best_f1 use a threshold chosen on the very split that they score")
    return _result(dataset, score.metrics, score.parts, notes, score.thresholds)


def with_ids(examples: Sequence[SpanExample]) -> list[SpanExample]:
    """Return questions that all have ids: their own, or, where one has none, their numbers from 0.

    >>> [example.id for example in with_ids([SpanExample("?", "c", id="a"), SpanExample("?", "c")])]
    ['0', '1']
    """
    if all(example.id is not None for example in examples):
        return list(examples)
    return [replace(example, id=str(number)) for number, example in enumerate(examples)]


def _answer(row: PredictedRow, _: int) -> str:
    if not isinstance(row.value, str):
        raise ValueError(f"the answer {row.value!r:.40} is no text")
    return row.value


def _score_tags(dataset: Dataset, path: Path, options: ScoreOptions) -> PredictionScore:
    examples = dataset.of(TokenExample)
    predictions = read_tags(path, column=options.prediction_column)
    rows = predictions.in_order([example.id for example in examples], what="text")

    def checked(row: PredictedRow, number: int) -> list[str]:
        example = examples[number]
        words = [example.text[start:end] for start, end in example.words]
        tags = [known_tag(tag, labels=dataset.labels) for tag in row.value]
        if row.words is not None and list(row.words) != words:
            at = next((i for i, (a, b) in enumerate(zip(row.words, words, strict=False)) if a != b), None)
            differs = (
                f"it has {len(row.words)} words and text {number} of the split has {len(words)}"
                if at is None
                else f'word {at} is "{row.words[at]:.40}", but "{words[at]:.40}" in text {number} of the split'
            )
            raise ValueError(f"not the words of the split: {differs}")
        if len(tags) != len(words):
            raise ValueError(f"{len(tags)} tags for the {len(words)} words of text {number}")
        for tag in tags:
            label_index(tag, labels=dataset.labels)
        return tags

    predicted = _read_rows(predictions, rows, checked)
    true = [[dataset.labels[tag] for tag in example.tags or ()] for example in examples]
    found = tag_scores(true, tags_predicted=predicted, scheme=options.scheme, labels=dataset.labels)
    first = [name for name in dataset.metrics if name in found.metrics]
    metrics = {name: found.metrics[name] for name in [*first, *(n for n in found.metrics if n not in first)]}
    return _result(dataset, metrics, found.parts, found.notes)


def _score_choices(dataset: Dataset, path: Path, options: ScoreOptions) -> PredictionScore:
    examples = dataset.of(ChoiceExample)
    predictions = read_predictions(path, column=options.prediction_column)
    rows = predictions.in_order([example.id for example in examples], what="question")
    choices = _read_rows(
        predictions, rows, lambda row, number: choice_index(row.value, options=examples[number].options)
    )
    found = choice_scores(examples, choices=choices)
    return _result(dataset, found.metrics, found.parts, ())


def _score_labels(dataset: Dataset, path: Path, options: ScoreOptions) -> PredictionScore:
    examples = dataset.of(TextExample)
    predictions = read_predictions(path, column=options.prediction_column)
    rows = predictions.in_order([example.id for example in examples], what="row")
    parsed = _read_rows(
        predictions, rows, lambda row, _: parse_label(row.value, task=dataset.task, labels=dataset.labels)
    )
    found = score(
        dataset.metrics,
        task=dataset.task,
        labels_true=_label_array([example.label for example in examples], dataset),
        outputs=_label_array(parsed, dataset),
        num_labels=max(len(dataset.labels), 1),
    )
    return _result(dataset, found.metrics, {}, found.notes)


def _label_array(labels: list[Any], dataset: Dataset) -> npt.NDArray[Any]:
    """`[n]` indices or numbers; multilabel: `[n, labels]` of 0 and 1."""
    if dataset.task != "multilabel":
        return np.asarray(labels)
    array = np.zeros((len(labels), len(dataset.labels)), dtype=np.int64)
    for row, indices in enumerate(labels):
        array[row, list(indices)] = 1
    return array


def _read_rows(
    predictions: Predictions, rows: list[PredictedRow], read: Callable[[PredictedRow, int], Read]
) -> list[Read]:
    """Read every row; those that cannot be read are told together, the first in full."""
    values, problems = [], []
    for number, row in enumerate(rows):
        try:
            values.append(read(row, number))
        except ValueError as error:
            problems.append((row.place, str(error)))
    if problems:
        (place, problem), *more = problems
        others = f" (and {len(more)} more, the next at {more[0][0]})" if more else ""
        raise DataError(
            f"{predictions.where}, {place}: {problem}{others}; repair the file, since every prediction counts"
        )
    return values


def _result(
    dataset: Dataset,
    metrics: dict[str, float],
    parts: dict[str, dict[str, float]],
    notes: Any,
    thresholds: dict[str, float] | None = None,
) -> PredictionScore:
    return PredictionScore(
        dataset.name, dataset.split, dataset.task, len(dataset), metrics, parts, thresholds or {}, tuple(notes)
    )


_SCORERS: Mapping[str, Callable[[Dataset, Path, ScoreOptions], PredictionScore]] = {
    "question_answering": _score_spans,
    "token_classification": _score_tags,
    "multiple_choice": _score_choices,
    "classification": _score_labels,
    "regression": _score_labels,
    "multilabel": _score_labels,
}
"""Task of a data set -> what scores predictions for it."""
