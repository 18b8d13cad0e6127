"""Texts without labels that a student learns from its teacher on: read, and kept apart from what chooses and scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from albertkit.data.examples import TextExample
from albertkit.datasets import open_data
from albertkit.datasets.dataset import Dataset
from albertkit.datasets.table_files import is_table
from albertkit.datasets.text_files import require_lines
from albertkit.datasets.text_rows import read_rows
from albertkit.errors import DataError
from albertkit.training.settings import FinetuneSettings
from albertkit.training.splits import Splits

SPLIT = "unlabelled"
"""What notes and bars call these texts."""


@dataclass(frozen=True)
class _Read:
    examples: list[TextExample]
    notes: tuple[str, ...] = ()


def with_unlabelled(splits: Splits, settings: FinetuneSettings) -> Splits:
    """Return the splits with the texts of `--unlabelled`, each of them once and none that is in another split.

    Texts are compared without regard to case and blanks.

    Raises:
        DataError: a file cannot be read or is empty, holds pairs instead of texts (or the other way round), or no text
            is left.
    """
    if not settings.unlabelled:
        return splits
    notes: list[str] = []
    given: list[TextExample] = []
    for name in settings.unlabelled:
        found = _read(name, settings, pairs=splits.train.is_pair, data=splits.train.name)
        given += found.examples
        notes += [f"{SPLIT}: {note}" for note in found.notes]
    given = given[: settings.limit]
    held_out = _keys(
        row for data in (splits.validation, splits.test) if data is not splits.train for row in data.of(TextExample)
    )
    seen = _keys(splits.train.of(TextExample))
    kept: list[TextExample] = []
    empty = again = held = 0
    for example in given:
        key = text_key(example)
        if not any(key):
            empty += 1
        elif key in seen:
            again += 1
        elif key in held_out:
            held += 1
        else:
            seen.add(key)
            kept.append(example)
    counts = (
        (held, "they are also in the validation or scored split"),
        (again, "they are labelled training texts or repeat an earlier text"),
        (empty, "they are empty"),
    )
    notes += [f"{SPLIT}: left out {count:,} of {len(given):,} texts: {why}" for count, why in counts if count]
    if not kept:
        raise DataError(
            f"{', '.join(settings.unlabelled)}: none of the {len(given):,} unlabelled texts is left, since all of them "
            f"are empty or in {splits.train.name} ({held:,} in its validation or scored split); give other texts"
        )
    unlabelled = Dataset(", ".join(settings.unlabelled), SPLIT, splits.train.task, (), splits.train.metrics, kept)
    return replace(splits.noting(*notes), unlabelled=unlabelled)


def text_key(example: TextExample) -> tuple[str, str]:
    """Return what is compared of a text or pair: without case, and with single blanks."""
    return " ".join(example.text.split()).casefold(), " ".join((example.pair or "").split()).casefold()


def _keys(examples: Iterable[TextExample]) -> set[tuple[str, str]]:
    return {text_key(example) for example in examples}


def _read(name: str, settings: FinetuneSettings, *, pairs: bool, data: str) -> _Read:
    if is_table(Path(name)):
        found = _table(name, settings)
    else:
        require_lines(Path(name))
        rows = read_rows([name], text_column=None, every_line=False, encoding=settings.encoding)
        found = _Read([TextExample(row.text) for row in rows])
    if not found.examples:
        raise DataError(f"{name}: holds no text; give a file with one text per line, or a table")
    if pairs != any(example.pair is not None for example in found.examples):
        here, there = ("single texts", "pairs") if pairs else ("pairs", "single texts")
        advice = "a table and name its --pair-column" if pairs else "a file of single texts, or name its --text-column"
        raise DataError(f"{name}: holds {here}, but {data} holds {there}; give {advice}")
    return found


def _table(name: str, settings: FinetuneSettings) -> _Read:
    source = open_data(
        name,
        text_column=settings.text_column,
        pair_column=settings.pair_column,
        labelled=False,
        encoding=settings.encoding,
        skip_bad_rows=settings.skip_bad_rows,
    )
    dataset = source.split(source.splits[0])
    skipped = (f"{name}: {len(dataset.skipped):,} rows cannot be used and were left out",) if dataset.skipped else ()
    return _Read(dataset.of(TextExample), (*dataset.warnings, *skipped))
