"""Read CoNLL files, one word per line in columns, and CoNLL++ in its published layout.

The first column is the word and the last its tag; a blank line ends a sentence, and a line -DOCSTART- is none. Columns
are separated by tabs if the line holds one, else by blanks. In CoNLL-U (universaldependencies.org) the word is the
second column and the tag the fourth, the part of speech.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from albertkit.data.words import join_words
from albertkit.datasets.archive import SourceFile
from albertkit.datasets.dataset import Dataset, DataSource
from albertkit.datasets.published import find_published
from albertkit.datasets.rows import BadRows, RowWarnings, checked_text, decode_text
from albertkit.datasets.tagged import METRICS, TASK, TaggedFile, TaggedText, tagged_dataset
from albertkit.errors import DataError
from albertkit.io.counts import counted_noun

NER_LABELS = ("O", "B-LOC", "I-LOC", "B-MISC", "I-MISC", "B-ORG", "I-ORG", "B-PER", "I-PER")
"""The four types of CoNLL-2003 in IOB2."""

# Of each split, the names in CoNLL++ (github.com/ZihanWangKi/CrossWeigh) and in CoNLL-2003's own packages.
_FILES: Mapping[str, tuple[str, ...]] = {
    "train": ("conllpp_train.txt", "eng.train", "train.txt"),
    "dev": ("conllpp_dev.txt", "eng.testa", "valid.txt", "dev.txt"),
    "test": ("conllpp_test.txt", "eng.testb", "test.txt"),
}
_FOLDERS = ("ner_conllpp", "conllpp", "conll++", "conll2003", "conll03", "conll", "ner")
_DOCUMENT = "-DOCSTART-"
_BLANKS = re.compile("[ \t]+")
_CONLLU_WIDTH = 10
_CONLLU_ID = re.compile("[0-9]+([-.][0-9]+)?")
_FIRST_AND_LAST, _FORM_AND_UPOS = (0, -1), (1, 3)
"""Columns of the word and its tag."""


def open_ner(name: str, *, data_dir: Path | None = None, skip_bad_rows: bool = False) -> DataSource:
    """Open CoNLL++ (Wang et al., 2019: CoNLL-2003 with a corrected test set), or CoNLL-2003 itself.

    Args:
        name: the data set's name, "ner".
        data_dir: the folder of the files, one that holds it, or an archive of it.
        skip_bad_rows: count sentences that cannot be used and go on, instead of an error.

    Raises:
        UsageError: `data_dir` is None.
        DataError: no file of the data set is there.
    """
    found = find_published(
        name,
        data_dir,
        files=_FILES,
        folders=_FOLDERS,
        give=f"the folder of {', '.join(names[0] for names in _FILES.values())} "
        "(from https://github.com/ZihanWangKi/CrossWeigh)",
    )
    load = partial(_load, name, found.files, skip_bad_rows)
    return DataSource(name, TASK, NER_LABELS, METRICS, tuple(found.files), load, hint=found.hint)


def _load(name: str, files: Mapping[str, SourceFile], skip_bad_rows: bool, split: str) -> Dataset:
    file = files[split]
    read = read_columns(file.read(), where=file.where, skip_bad_rows=skip_bad_rows)
    return tagged_dataset(read, empty=Dataset(name, split, TASK, NER_LABELS, METRICS, []))


def read_columns(content: bytes, *, where: str, labelled: bool = True, skip_bad_rows: bool = False) -> TaggedFile:
    """Read the sentences of a file of columns.

    Lines that begin with "#" and have another number of columns than the rest are comments, which are counted. A line
    that otherwise has another number of columns makes its sentence unusable.

    Args:
        content: the whole file.
        where: the file, as a message names it.
        labelled: False leaves the tags unread; then one column is enough.
        skip_bad_rows: count sentences that cannot be used and go on, instead of an error when the split is made.

    Raises:
        DataError: not UTF-8, or no column of tags.
    """
    lines = [line.removesuffix("\r") for line in decode_text(content, where=where).split("\n")]
    rows = [(number, _columns(line)) for number, line in enumerate(lines, start=1)]
    of_words = _of_words(rows)
    # The number that most lines have, since the first line may well be a comment.
    counts = Counter(len(row) for _, row in of_words)
    if not counts:
        raise DataError(f"{where}: no words in the file; it needs one a line")
    width = counts.most_common(1)[0][0]
    file = TaggedFile([], BadRows(where, skip=skip_bad_rows), RowWarnings(where))
    columns = _FIRST_AND_LAST
    if width == _CONLLU_WIDTH and all(_CONLLU_ID.fullmatch(row[0]) for _, row in of_words if len(row) == width):
        first = next(number for number, row in of_words if len(row) == width)
        file.warnings.add("layout recognised: CoNLL-U, so the word is FORM and its tag UPOS", f"line {first}")
        columns = _FORM_AND_UPOS
        # A range (1-2: a word that the next lines split) and an empty node (1.1) have no part of speech.
        rows = [(number, row) for number, row in rows if len(row) != width or row[0].isdecimal()]
    while (
        columns == _FIRST_AND_LAST and width > 1 and all(not row[-1] for _, row in of_words if len(row) == width)
    ):  # every line ends with a tab
        rows, width = [(number, row[:-1] if len(row) == width else row) for number, row in rows], width - 1
        of_words = _of_words(rows)
    if labelled and width < 2:
        parted = "; tabs or blanks part columns, not commas" if all("," in row[0] for _, row in of_words) else ""
        raise DataError(
            f"{where}: the lines have one column, so there are no tags; the last column must hold them{parted}"
        )
    sentence: list[tuple[int, list[str]]] = []

    def end() -> None:
        if sentence:
            _add_sentence(file, sentence, width=width, columns=columns, labelled=labelled)
            sentence.clear()

    for number, row in rows:
        if not row or row[0] == _DOCUMENT:
            end()
        elif row[0].startswith("#") and len(row) != width:
            file.warnings.add("line(s) that begin with # taken as comments", f"line {number}")
        else:
            sentence.append((number, row))
    end()
    return file


def _of_words(rows: Sequence[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    return [(number, row) for number, row in rows if row and row[0] != _DOCUMENT]


def _columns(line: str) -> list[str]:
    if not line.strip(" \t"):
        return []
    if "\t" in line:
        return [cell.strip(" ") for cell in line.split("\t")]
    # Not str.split(), which would also part at the no-break spaces inside words.
    return _BLANKS.split(line.strip(" "))


def _add_sentence(
    file: TaggedFile, sentence: list[tuple[int, list[str]]], *, width: int, columns: tuple[int, int], labelled: bool
) -> None:
    word, tag = columns
    for number, row in sentence:
        problem = None
        if len(row) != width:
            problem = f"{counted_noun(len(row), 'column')} instead of {width}"
        elif not row[word]:
            problem = "the word is empty"
        elif labelled and not row[tag]:
            problem = "the tag is empty"
        else:
            try:
                checked_text(row[word], column="word")
            except ValueError as error:
                problem = str(error)
        if problem is not None:
            file.bad.add(f"line {number}", problem)
            return
    text, words = join_words([row[word] for _, row in sentence])
    tags = tuple(row[tag] for _, row in sentence) if labelled else None
    file.rows.append(TaggedText(f"line {sentence[0][0]}", text, words, tags))
