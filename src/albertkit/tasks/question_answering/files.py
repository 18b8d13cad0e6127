"""Answers in files: SQuAD's JSON of id and answer, its null odds and n-best lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.data.examples import SpanExample
from albertkit.datasets.dataset import Dataset
from albertkit.scoring.score import Score, ScoreOptions
from albertkit.tasks.prediction_rows import keys_of
from albertkit.tasks.question_answering.decode import best_words
from albertkit.tasks.question_answering.metrics import VERSION_OF, span_scores
from albertkit.tasks.question_answering.scores import numbered
from albertkit.tasks.task import Predictions

if TYPE_CHECKING:
    from albertkit.datasets.prediction_files import PredictedRow

BEFORE_THRESHOLD = "answers_before_threshold.json"
"""Best words of each question, also of those that count as having no answer: with null_odds.json what best_f1 needs."""


def score_answers(dataset: Dataset, path: Path, options: ScoreOptions) -> Score:
    """Score a file of answers by question id.

    Raises:
        UsageError: null odds where every question has an answer.
        DataError: a file cannot be used, or none of its ids is a question of the split.
        MissingExtraError: Parquet without pyarrow.
    """
    # Imported here, because prediction does not read prediction files.
    from albertkit.datasets.prediction_files import read_numbers, read_predictions

    examples = with_ids(dataset.of(SpanExample))
    predictions = read_predictions(path, column=options.prediction_column)
    answers = predictions.read(list(predictions.by_id().values()), _answer)
    found = span_scores(
        examples,
        predictions=dict(zip(predictions.by_id(), answers, strict=True)),
        version=VERSION_OF.get(dataset.name),
        null_odds=None if options.null_odds is None else read_numbers(Path(options.null_odds)),
        null_threshold=options.null_threshold,
    )
    notes = []
    if found.missing:
        # The two official scripts differ here; the sentence says which rule the number follows.
        how = "left out, as evaluate-v2.0.py does" if found.parts else "counted as wrong, as evaluate-v1.1.py does"
        notes.append(f"{len(found.missing)} of {len(examples)} questions have no prediction and are {how} "
                     f"(the first: {found.missing[0]})")  # fmt: skip
    if found.extra:
        notes.append(f"{len(found.extra)} predictions belong to no question of the split (the first: {found.extra[0]})")
    if found.thresholds:
        notes.append("best_exact and best_f1 use a threshold chosen on the same split that they score")
    return replace(found, notes=tuple(notes))


def with_ids(examples: Sequence[SpanExample]) -> list[SpanExample]:
    """Return questions that all have ids: their own, or, where one has none, their numbers from 0.

    >>> [example.id for example in with_ids([SpanExample("?", "c", id="a"), SpanExample("?", "c")])]
    ['0', '1']
    """
    return list(examples) if all(example.id is not None for example in examples) else numbered(examples)


def answer_files(dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
    """Return predictions.json {id: answer} and nbest_predictions.json; of SQuAD 2.0 also null_odds.json."""
    rows = dict(zip(keys_of(dataset.examples), predictions, strict=True))
    files: dict[str, Any] = {
        "predictions.json": {key: row["answer"] for key, row in rows.items()},
        "nbest_predictions.json": {
            key: [{"text": entry["answer"], **{name: entry[name] for name in ("probability", "start", "end")}}
                  for entry in row["n_best"]]
            for key, row in rows.items()
        },
    }  # fmt: skip
    # Odds of no answer are nothing that SQuAD 1.1 knows.
    if VERSION_OF.get(dataset.name) == "2.0" or any(example.answers == () for example in dataset.of(SpanExample)):
        files["null_odds.json"] = {key: row["no_answer_odds"] for key, row in rows.items()}
        files[BEFORE_THRESHOLD] = {key: best_words(row) for key, row in rows.items()}
    return files


def _answer(row: PredictedRow, _: int) -> str:
    if not isinstance(row.value, str):
        raise ValueError(f"the answer {row.value!r:.40} is not a text")
    return row.value
