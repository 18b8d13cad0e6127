"""Rows of texts without labels, from files and folders: one text per line, or a column of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from albertkit.data.corpus.inputs import Input, InputReader, TextRules, find_inputs
from albertkit.datasets.table_files import is_table
from albertkit.datasets.text_files import open_texts
from albertkit.io.decoding import bare, text_lines

_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Row:
    """One text as the user gave it."""

    text: str
    place: str
    """File and line, for messages."""


def read_rows(
    data: Sequence[str], *, text_column: str | None, every_line: bool, encoding: str | None = None
) -> list[Row]:
    """Read the texts of files and folders: one per line, or a column of a table.

    Args:
        data: files (plain, .gz or .xz, or tables) and folders of them.
        text_column: text column of tables; its usual names when left out.
        every_line: whether an empty line counts as a text; otherwise it only separates documents.
        encoding: encoding of text files; None uses the byte order mark, else UTF-8.

    Raises:
        UsageError: there is no such encoding.
        DataError: a file is missing or not of its encoding, or has no such column.
    """
    rules = TextRules(encoding)
    rows: list[Row] = []
    for name in data:
        if is_table(Path(name)):
            pieces = open_texts(Path(name), text_column=text_column, encoding=encoding).pieces()
            texts = (text for piece in pieces for text in piece.texts)
            rows += [Row(text, f"{name}, row {number}") for number, text in enumerate(texts, 1)]
            continue
        for source in find_inputs([name], rules):
            where = source.path or "standard input"
            lines = enumerate(_lines(source, rules), 1)
            rows += [Row(line, f"{where}, line {number}") for number, line in lines if every_line or line.strip()]
    return rows


def _lines(source: Input, rules: TextRules) -> Iterator[str]:
    with InputReader(source, rules) as reader:
        blocks = iter(lambda: reader.read(_BLOCK), b"")
        for line in text_lines(blocks, where=str(source.path or "standard input")):
            yield bare(line)
