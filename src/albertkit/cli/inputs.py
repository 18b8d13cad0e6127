"""Reading texts to predict or embed."""

from __future__ import annotations

from pathlib import Path

from albertkit.errors import DataError


def read_texts(
    path: Path, *, text_column: str | None = None, pair_column: str | None = None
) -> list[str | tuple[str, str]]:
    r"""Read one text a line (lines end at `\n` alone), or the text columns of a table.

    Raises:
        DataError: the file is not there, is not UTF-8, or has no such column.
    """
    from albertkit.datasets import open_data
    from albertkit.datasets.table_files import is_table

    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if is_table(path):
        source = open_data(path, text_column=text_column, pair_column=pair_column, labelled=False)
        examples = source.split(source.splits[0]).examples
        return [example.text if example.pair is None else (example.text, example.pair) for example in examples]
    content = path.read_bytes()
    rows: list[str | tuple[str, str]] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            rows.append(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    if rows and rows[-1] == "":
        rows.pop()
    return rows
