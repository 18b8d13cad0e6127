"""Predictions as files in the forms of the benchmarks, which `albertkit score` and the official scripts read.

    questions   predictions.json {id: answer}; null_odds.json {id: log odds of no answer}; nbest_predictions.json
    choices     predictions.json {id: letter}
    tags        predictions.conll: word, true tag, predicted tag; predictions.jsonl where a word cannot be in columns
    texts       predictions.tsv: index (or id) and prediction, as GLUE's server wants them

Rows go by the examples' own ids where each has one, else by their numbers from 0.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from albertkit.data.examples import SpanExample, TokenExample
from albertkit.datasets.choices import LETTERS
from albertkit.datasets.dataset import Dataset
from albertkit.errors import UsageError
from albertkit.evaluation.null_threshold import words_of
from albertkit.evaluation.span_metrics import VERSION_OF
from albertkit.io.files import write_json, write_text

Prediction = Mapping[str, Any]

BEFORE_THRESHOLD = "answers_before_threshold.json"
"""Best words of each question, also of those that count as having no answer: with null_odds.json what best_f1 needs."""

_IN_COLUMNS = re.compile(r"[^\t\n\r ](?:[^\t\n\r]*[^\t\n\r ])?")


def write_predictions(
    path: str | os.PathLike[str], predictions: Sequence[Prediction], *, dataset: Dataset
) -> tuple[Path, ...]:
    """Write the predictions for a split; return the files.

    Args:
        path: a file, where it has an ending (.json, .conll, .jsonl, .tsv): then the predictions alone go there; else a
            folder, made if need be, for all files of the task.
        predictions: one an example, as the model's task gives them.
        dataset: the split, its labels in the model's order.

    Raises:
        UsageError: a file with an ending that does not go with the task, or tags that cannot stand in columns.
        WriteError: the system refused; what stood there before is untouched.
    """
    target = Path(path)
    require_ending(target, dataset=dataset)
    files = _FORMS.get(dataset.task, _labels)(dataset, predictions)
    if _is_folder(target):
        for name, content in files.items():
            _write(target / name, content)
        return tuple(target / name for name in files)
    _write(target, next(iter(files.values())))
    return (target,)


def require_ending(path: str | os.PathLike[str], *, dataset: Dataset) -> None:
    """Refuse a file whose ending does not go with the predictions for a split, before these are made.

    Raises:
        UsageError: names the ending that does.
    """
    target = Path(path)
    if dataset.task == "token_classification":
        ending = ".conll" if _fits_columns(dataset) else ".jsonl"
    elif dataset.task in _FORMS:
        ending = ".json"
    else:
        ending = ".tsv" if _fits_cells(dataset) else ".jsonl"
    if not _is_folder(target) and target.suffix.lower() != ending:
        raise UsageError(
            f"{target}: predictions for these {dataset.task} data go into a {ending} file, or into a folder"
        )


def _is_folder(target: Path) -> bool:
    return target.is_dir() or not target.suffix


def example_ids(examples: Sequence[Any]) -> tuple[str, ...] | None:
    """Return the examples' own ids where all have one, without blanks around it, and no two the same; else None.

    >>> from albertkit.data.examples import TextExample
    >>> example_ids([TextExample("a", id="x"), TextExample("b")])
    """
    own = tuple(example.id for example in examples if example.id and example.id == example.id.strip())
    return own if len(set(own)) == len(examples) > 0 else None


def _write(path: Path, content: Any) -> None:
    if isinstance(content, str):
        write_text(path, content)
    else:
        write_json(path, content)


def _keys(dataset: Dataset) -> Sequence[str]:
    return example_ids(dataset.examples) or [str(number) for number in range(len(dataset))]


def _answers(dataset: Dataset, predictions: Sequence[Prediction]) -> dict[str, Any]:
    rows = dict(zip(_keys(dataset), predictions, strict=True))
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
        files[BEFORE_THRESHOLD] = {key: words_of(row) for key, row in rows.items()}
    return files


def _choices(dataset: Dataset, predictions: Sequence[Prediction]) -> dict[str, Any]:
    def named(choice: int) -> str | int:
        return LETTERS[choice] if choice < len(LETTERS) else choice

    return {
        "predictions.json": {key: named(row["choice"]) for key, row in zip(_keys(dataset), predictions, strict=True)}
    }


def _tags(dataset: Dataset, predictions: Sequence[Prediction]) -> dict[str, Any]:
    texts = _words(dataset)
    if _fits_columns(dataset):
        lines = []
        for example, words, row in zip(dataset.of(TokenExample), texts, predictions, strict=True):
            true = ["_"] * len(words) if example.tags is None else [dataset.labels[tag] for tag in example.tags]
            columns = zip(words, true, row["tags"], strict=True)
            lines.append("".join("\t".join(cells) + "\n" for cells in columns))
        return {"predictions.conll": "\n".join(lines)}
    rows = [
        {"id": key, "tokens": words, "tags": row["tags"]}
        for key, words, row in zip(_keys(dataset), texts, predictions, strict=True)
    ]
    return {"predictions.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)}


def _words(dataset: Dataset) -> list[list[str]]:
    return [[example.text[start:end] for start, end in example.words] for example in dataset.of(TokenExample)]


def _fits_columns(dataset: Dataset) -> bool:
    """Tell whether all words can be in columns."""
    return all(words and all(map(_in_columns, words)) for words in _words(dataset))


def _in_columns(word: str) -> bool:
    # A byte order mark would be taken off the file's beginning, and -DOCSTART- is no word to those who read columns.
    return _IN_COLUMNS.fullmatch(word) is not None and word != "-DOCSTART-" and "\ufeff" not in word


def _labels(dataset: Dataset, predictions: Sequence[Prediction]) -> dict[str, Any]:
    own = example_ids(dataset.examples)
    key = "index" if own is None else "id"
    cells = [_label(row) for row in predictions]
    if not _fits_cells(dataset):
        rows = [
            {key: name, "prediction": row.get("labels", cell)}
            for name, cell, row in zip(_keys(dataset), cells, predictions, strict=True)
        ]
        return {"predictions.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)}
    lines = [f"{key}\tprediction", *("\t".join(pair) for pair in zip(_keys(dataset), cells, strict=True))]
    return {"predictions.tsv": "\n".join(lines) + "\n"}


def _fits_cells(dataset: Dataset) -> bool:
    """Tell whether labels and ids can be in the cells of a TSV file."""
    no_cell = re.compile(r"[\t\r\n|]" if dataset.task == "multilabel" else r"[\t\r\n]")
    return not any(map(no_cell.search, (*dataset.labels, *(example_ids(dataset.examples) or ()))))


def _label(row: Prediction) -> str:
    if "value" in row:
        return repr(float(row["value"]))
    return "|".join(row["labels"]) if "labels" in row else str(row["label"])


_FORMS: Mapping[str, Callable[[Dataset, Sequence[Prediction]], dict[str, Any]]] = {
    "question_answering": _answers,
    "multiple_choice": _choices,
    "token_classification": _tags,
}
"""Task of a data set -> its files, the predictions first; all others are labels."""
