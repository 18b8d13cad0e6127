"""Words with tags from files of the user's own: columns (`conll.py`), `{tokens, tags}` or `{text, spans}` rows.

A span is `{"start", "end", "label"}` (or `"type"`), `[start, end)` in characters of the text; rows may call them
`entities`, as `predict` does. The text is parted into words at blanks and punctuation; a span becomes B- at its first
word and I- at the others, so it has to begin and end with words. Spans of a text with characters beyond U+FFFF may
count UTF-16 code units, as JavaScript does: they are read so where that is what fits the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from albertkit.data.entities import OUTSIDE
from albertkit.data.words import join_words, split_words
from albertkit.datasets.conll import read_columns
from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.datasets.labels import label_text
from albertkit.datasets.own_files import ROW_ENDINGS, ReadOptions, own_source, require_keys, split_files
from albertkit.datasets.rows import BadRows, RowWarnings, checked_text, own_bytes
from albertkit.datasets.table_files import Table, open_table
from albertkit.datasets.tagged import (
    TASK,
    TaggedFile,
    TaggedText,
    collect_labels,
    metrics_of,
    tagged_dataset,
)
from albertkit.datasets.tags import require_distinct
from albertkit.errors import DataError

_TAG_KEYS = ("tags", "ner_tags")
_SPAN_KEYS = ("spans", "entities")
_LEFT = "span(s) that do not begin and end with words, or overlap another, left out"
_UTF16 = "text(s) whose spans count UTF-16 code units, read so"

Span = tuple[int, int, str]
"""(start, end, label)."""


def open_tags(path: Path | str, *, options: ReadOptions, tables: Mapping[str, Table] | None = None) -> DataSource:
    """Open a file (its one split is "train", also called "all") or a folder of files named by split.

    Args:
        path: .conll, .bio and the like, .txt, .jsonl or .parquet, or a folder of such files; or the name of `tables`.
        options: labels, whether tags are read, and bad rows skipped.
        tables: open tables by split, instead of files.

    Raises:
        DataError: the file or folder is not there, or the first split gives no labels.
    """
    files: Mapping[str, Path | Table] = tables or split_files(Path(path), task=TASK)
    first = next(iter(files))
    labels = options.labels
    if labels is not None:
        require_distinct(labels, where="the labels given")
    elif options.labelled:
        labels = collect_labels(_read(files[first], options))
    else:
        labels = ()
    return own_source(path, partial(_load, options), task=TASK, labels=labels, metrics=metrics_of(labels), files=files)


def tag_spans(words: Sequence[tuple[int, int]], *, spans: Iterable[Span]) -> tuple[tuple[str, ...], list[Span]]:
    """Return a tag for each word in IOB2, and the spans that do not begin and end with words or overlap another.

    >>> tag_spans([(0, 3), (4, 8), (9, 12)], spans=[(0, 8, "LOC"), (9, 10, "LOC")])
    (('B-LOC', 'I-LOC', 'O'), [(9, 10, 'LOC')])

    Args:
        words: spans of the words, in order.
        spans: what to tag; of two that overlap, the one that begins first is taken, then the longer one.
    """
    starts = {start: index for index, (start, _) in enumerate(words)}
    ends = {end: index for index, (_, end) in enumerate(words)}
    tags = [OUTSIDE] * len(words)
    left: list[Span] = []
    for start, end, label in sorted(spans, key=lambda span: (span[0], -span[1], span[2])):
        first, last = starts.get(start), ends.get(end)
        if first is None or last is None or last < first or set(tags[first : last + 1]) != {OUTSIDE}:
            left.append((start, end, label))
            continue
        tags[first : last + 1] = [f"B-{label}", *[f"I-{label}"] * (last - first)]
    return tuple(tags), left


def _load(options: ReadOptions, path: Path | Table, empty: Dataset, may_lack_tags: bool) -> Dataset:
    return tagged_dataset(_read(path, options, may_lack_tags=may_lack_tags), empty=empty)


def _read(path: Path | Table, options: ReadOptions, *, may_lack_tags: bool = False) -> TaggedFile:
    if isinstance(path, Path) and path.suffix.lower() not in ROW_ENDINGS:
        return read_columns(
            own_bytes(path, encoding=options.encoding),
            where=str(path),
            labelled=options.labelled,
            skip_bad_rows=options.skip_bad_rows,
        )
    return _read_rows(open_table(path, encoding=options.encoding), options, may_lack=may_lack_tags)


def _read_rows(table: Table, options: ReadOptions, *, may_lack: bool) -> TaggedFile:
    has_tokens = "tokens" in table.columns
    words = "tokens" if has_tokens else "text"
    known = _TAG_KEYS if has_tokens else _SPAN_KEYS
    told = next((key for key in known if key in table.columns), None) if options.labelled else None
    needed = {words: words if words in table.columns else None}
    if options.labelled and not may_lack:
        needed[known[0]] = told
    require_keys(table, needed, row="a row of tags has tokens and tags, or text and spans")
    uses = [words, *([told] if told else []), *(["id"] if "id" in table.columns else [])]
    file = TaggedFile(
        [], BadRows(table.where, skip=options.skip_bad_rows, advice=table.advice), RowWarnings(table.where)
    )
    for place, values in table.rows(uses, file.bad):
        row = dict(zip(uses, values, strict=True))
        name = None if row.get("id") is None else str(row["id"])
        try:
            if has_tokens:
                file.rows.append(_from_tokens(place, row["tokens"], row.get(told or ""), name, told, options.labels))
            else:
                file.rows.append(_from_spans(place, row["text"], row.get(told or ""), name, told, file))
        except ValueError as error:
            file.bad.add(place, str(error))
    left = file.warnings.places(_LEFT)
    if left and file.tags == {OUTSIDE}:
        raise DataError(
            f"{table.where}: no span begins and ends with words, so no word has a tag ({left[0]}); count start and end "
            "in characters of the text, end being the place after the last one"
        )
    return file


def _from_tokens(
    place: str, tokens: Any, tags: Any, name: str | None, told: str | None, labels: tuple[str, ...] | None
) -> TaggedText:
    words = [checked_text(word, column="tokens") for word in _list(tokens, "tokens")]
    if not words or not all(word.strip() for word in words):
        raise ValueError('"tokens" is empty' if not words else "a token is empty")
    text, spans = join_words(words)
    if told is None:
        return TaggedText(place, text, spans, None, name)
    given = _list(tags, told)
    if len(given) != len(words):
        raise ValueError(f'{len(words)} tokens, but {len(given)} in "{told}"')
    return TaggedText(place, text, spans, tuple(_tag(tag, labels) for tag in given), name)


def _tag(tag: Any, labels: tuple[str, ...] | None) -> str:
    if tag in (-100, "-100"):
        raise ValueError("the tag -100 marks a token without a tag in transformers' batches; give words and their tags")
    if labels is not None and isinstance(tag, int) and not isinstance(tag, bool):  # as the hub stores them
        if all(map(str.isdecimal, labels)):  # numbers were the names in training
            return str(tag)
        if not 0 <= tag < len(labels):
            raise ValueError(f"tag {tag} is beyond the {len(labels)} labels given")
        return labels[tag]
    return label_text(tag)


def _from_spans(place: str, text: Any, spans: Any, name: str | None, told: str | None, file: TaggedFile) -> TaggedText:
    checked = checked_text(text, column="text")
    words = split_words(checked)
    if not words:
        raise ValueError("the text holds no word")
    if told is None:
        return TaggedText(place, checked, words, None, name)
    given = _list(spans, told)
    tags: tuple[str, ...] = ()
    left: list[Span] = []
    problem: ValueError | None = None
    try:
        tags, left = tag_spans(words, spans=[_span(span, checked) for span in given])
    except ValueError as error:
        problem = error
    if (left or problem) and (units := _utf16_places(checked)):
        try:
            moved, others = tag_spans(words, spans=[_span(_in_characters(span, units), checked) for span in given])
        except ValueError:  # what is wrong with them as they were given says more
            others = [(0, 0, "")]
        if not others:
            tags, left, problem = moved, [], None
            file.warnings.add(_UTF16, place)
    if problem is not None:
        raise problem
    for start, end, label in left:
        file.warnings.add(_LEFT, f'{place}: {label} "{checked[start:end]:.40}" at {start}')
    return TaggedText(place, checked, words, tags, name)


def _span(span: Any, text: str) -> Span:
    if not isinstance(span, dict):
        raise ValueError(f"a span is {span!r:.40}, not an object of start, end and label")
    start, end = span.get("start"), span.get("end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        raise ValueError(f"a span from {start!r:.20} to {end!r:.20} does not lie in the text ({len(text)} characters)")
    inside = text[start:end]
    # Blanks at its ends change no word.
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    return start, end, label_text(span.get("label", span.get("type")))


def _utf16_places(text: str) -> dict[int, int]:
    """Return UTF-16 place -> place in characters, the end included; nothing where they are the same."""
    places, at = {}, 0
    for number, character in enumerate(text):
        places[at] = number
        at += 1 + (character > "\uffff")
    places[at] = len(text)
    return places if at > len(text) else {}


def _in_characters(span: Any, places: Mapping[int, int]) -> Any:
    if not isinstance(span, dict):
        return span
    moved = {key: places.get(span[key]) for key in ("start", "end") if type(span.get(key)) is int}
    return {**span, **moved}


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f'"{key}" is {"missing" if value is None else repr(value)[:40]}, not a list')
    return value
