"""Cutting a file: the slices' rows joined are the file's rows, piece by piece as one process takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from albertkit.data.columns import Columns
from albertkit.datasets import text_files
from albertkit.datasets.lines import Slice
from albertkit.datasets.text_files import TextFile, open_texts
from albertkit.errors import DataError, UsageError
from albertkit.scaling.slices import cut

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20), max_size=30)


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:  # hypothesis runs a test many times with one tmp_path
        yield Path(name)


def same(path: Path) -> list[list[str]]:
    """Assert that slices are the stream's pieces, in any order of reading; return the texts."""
    columns = open_texts(path).columns if path.stat().st_size else None
    reader = TextFile(path, columns)
    parts = cut(path, columns)
    assert [part.number for part in parts] == list(range(len(parts)))
    found = {part.number: reader.read(part.slice) for part in [*parts[::2], *parts[1::2]]}
    pieces = [found[part.number] for part in parts]
    assert [len(piece.texts) for piece in pieces] == [part.rows for part in parts]
    expected = list(TextFile(path, columns).pieces())
    assert [piece.texts for piece in pieces] == ([piece.texts for piece in expected] or [[]])
    for one, other in zip(pieces, expected, strict=False):
        assert {name: list(map(str, values)) for name, values in one.others.items()} == {
            name: list(map(str, values)) for name, values in other.others.items()
        }
    return [piece.texts for piece in pieces]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "ROWS", 4)
    monkeypatch.setattr(text_files, "CHARACTERS", 25)


@pytest.mark.usefixtures("small")
def test_lines_and_json_lines() -> None:
    @settings(max_examples=150, deadline=None)
    @given(TEXTS, st.booleans(), st.lists(st.sampled_from(["", " ", "\t\r", "\u3000"]), max_size=30), st.booleans())
    def check(texts: list[str], ended: bool, blanks: list[str], escaped: bool) -> None:
        assume(len(texts) > 1 or not any("\r" in text for text in texts))  # else lines end at the carriage return
        with TemporaryDirectory() as name:
            lines = Path(name, "t.txt")
            lines.write_bytes(("\n".join(texts) + "\n" * (ended and bool(texts))).encode())
            same(lines)
            if texts:
                rows = [
                    json.dumps({"text": text, "n": number}, ensure_ascii=escaped) for number, text in enumerate(texts)
                ]
                for at, blank in enumerate(blanks):
                    rows.insert(min(2 * at, len(rows)), blank)
                table = Path(name, "t.jsonl")
                table.write_bytes(b"\xef\xbb\xbf" * escaped + "\n".join(rows).encode() + b"\n" * ended)
                assert list(chain.from_iterable(same(table))) == texts

    check()


@pytest.mark.parametrize("groups", [1, 3, 4, 5, 100])
@pytest.mark.parametrize("rows", [0, 1, 4, 23])
@pytest.mark.usefixtures("small")
def test_parquet(rows: int, groups: int, folder: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"n": list(range(rows)), "text": pyarrow.array([f"text {n}" for n in range(rows)], "string")})
    parquet.write_table(table, folder / "t.parquet", row_group_size=groups)
    assert list(chain.from_iterable(same(folder / "t.parquet"))) == [f"text {n}" for n in range(rows)]


def test_a_bad_row_is_named_by_its_line_in_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "ROWS", 2)
    rows = ['{"text": "a"}', "", '{"text": "b"}', '{"text": "c"}', "", '{"text": 5}']
    path = folder / "t.jsonl"
    path.write_text("\n".join(rows))
    columns = open_texts(path).columns
    first, second = cut(path, columns)
    reader = TextFile(path, columns)
    assert reader.read(first.slice).texts == ["a", "b"]
    with pytest.raises(DataError, match=r't.jsonl, line 6: "text" is 5, a int, not a text; repair the file'):
        reader.read(second.slice)
    with pytest.raises(DataError, match="no such file"):
        TextFile(folder / "none.txt", None).read(Slice(0, 1))


def test_pairs(folder: Path) -> None:
    path = folder / "t.jsonl"
    path.write_text('{"sentence2": "b", "sentence1": "a", "text": "c"}\n{"sentence1": "a", "text": "c"}\n')
    chosen = open_texts(path, pairs=True).columns
    assert chosen == Columns("sentence1", ("sentence2",), "sentence2")
    assert open_texts(path, text_column="text", pairs=True).columns == Columns("text")
    assert open_texts(path, pair_column="sentence1", pairs=True).columns == Columns("text", ("sentence1",), "sentence1")
    whole = open_texts(path).columns
    assert whole is not None
    assert whole.pair is None
    with pytest.raises(DataError, match=r't.jsonl, line 2: no key "sentence2"'):
        TextFile(path, chosen).read(Slice(0, path.stat().st_size))


def test_comma_separated_values_are_refused(folder: Path) -> None:
    (folder / "t.csv").write_text("text\na\n")
    with pytest.raises(UsageError, match=r"with --ray the input is .parquet, .jsonl or a file of lines; convert it"):
        cut(folder / "t.csv", None)
