"""Tags in files: CoNLL's columns, or JSON lines where a word cannot be in a column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albertkit.data.examples import TokenExample
from albertkit.datasets.dataset import Dataset
from albertkit.scoring.score import ScoreOptions
from albertkit.tasks.prediction_rows import json_lines, keys_of
from albertkit.tasks.task import Predictions

if TYPE_CHECKING:
    from albertkit.datasets.prediction_files import PredictedRow

_IN_COLUMNS = re.compile(r"[^\t\n\r ](?:[^\t\n\r]*[^\t\n\r ])?")


def words_of(example: TokenExample) -> list[str]:
    """Return the words of a text."""
    return [example.text[start:end] for start, end in example.words]


def read_tagged(dataset: Dataset, path: Path, options: ScoreOptions) -> list[list[str]]:
    """Read one tag per word of each text of a split.

    Raises:
        DataError: the file cannot be used, or its texts, words or tags are not those of the split.
        MissingExtraError: Parquet without pyarrow.
    """
    # Imported here, because prediction does not read prediction files.
    from albertkit.datasets.labels import label_index
    from albertkit.datasets.prediction_files import read_tags
    from albertkit.datasets.tags import known_tag

    examples = dataset.of(TokenExample)
    predictions = read_tags(path, column=options.prediction_column)
    rows = predictions.in_order([example.id for example in examples], what="text")

    def checked(row: PredictedRow, number: int) -> list[str]:
        words = words_of(examples[number])
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

    return predictions.read(rows, checked)


def tag_files(dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
    """Return predictions.conll: word, true tag, predicted tag; predictions.jsonl where a word cannot be in a column."""
    if fits_columns(dataset):
        lines = []
        for example, row in zip(dataset.of(TokenExample), predictions, strict=True):
            words = words_of(example)
            true = ["_"] * len(words) if example.tags is None else [dataset.labels[tag] for tag in example.tags]
            columns = zip(words, true, row["tags"], strict=True)
            lines.append("".join("\t".join(cells) + "\n" for cells in columns))
        return {"predictions.conll": "\n".join(lines)}
    rows = [
        {"id": key, "tokens": words_of(example), "tags": row["tags"]}
        for key, example, row in zip(keys_of(dataset.examples), dataset.of(TokenExample), predictions, strict=True)
    ]
    return {"predictions.jsonl": json_lines(rows)}


def fits_columns(dataset: Dataset) -> bool:
    """Return whether all words can be in columns."""
    texts = map(words_of, dataset.of(TokenExample))
    return all(words and all(map(_in_columns, words)) for words in texts)


def _in_columns(word: str) -> bool:
    # A byte order mark would be taken off the file's beginning, and -DOCSTART- is no word to those who read columns.
    return _IN_COLUMNS.fullmatch(word) is not None and word != "-DOCSTART-" and "\ufeff" not in word
