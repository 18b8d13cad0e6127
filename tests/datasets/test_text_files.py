"""Texts of files piece by piece: the same as of the whole file, and each refusal names its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from albertkit.datasets import load_dataset, text_files
from albertkit.datasets.text_files import Piece, open_texts
from albertkit.errors import DataError

ROWS = [("a fine film", "x"), ("", 'say "no", twice'), ("two\u2028lines", ""), ("caf\u00e9 ", "y"), (" ", "z")]


def write(path: Path) -> Path:
    import csv

    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        import pyarrow.parquet as parquet

        parquet.write_table(
            pyarrow.table({"n": list(range(5)), "text": [t for t, _ in ROWS], "note": [n for _, n in ROWS]}), path
        )
    elif path.suffix == ".jsonl":
        lines = [json.dumps({"n": number, "text": text, "note": note}) for number, (text, note) in enumerate(ROWS)]
        path.write_text("\n\n".join(lines))
    elif path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows([("n", "text", "note"), *((n, *row) for n, row in enumerate(ROWS))])
    else:
        rows = [("n", "text", "note"), *((str(n), *row) for n, row in enumerate(ROWS))]
        path.write_text("".join("\t".join(row) + "\r\n" for row in rows), newline="")
    return path


def text_pieces(path: Path, text_column: str | None = None) -> Iterator[Piece]:
    return open_texts(path, text_column=text_column).pieces()


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_pieces_of_a_table(ending: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "ROWS", rows)
    path = write(tmp_path / f"t{ending}")
    pieces = list(text_pieces(path))
    assert max(len(piece.texts) for piece in pieces) == min(rows, 5)
    texts = [text for piece in pieces for text in piece.texts]
    assert texts == [text for text, _ in ROWS]
    assert texts == [example.text for example in load_dataset(path, labelled=False)]
    others = {name: [str(value) for piece in pieces for value in piece.others[name]] for name in ("n", "note")}
    assert others == {"n": ["0", "1", "2", "3", "4"], "note": [note for _, note in ROWS]}
    named = [text for piece in text_pieces(path, text_column="note") for text in piece.texts]
    assert named == [note for _, note in ROWS]
    found = open_texts(path).check()
    assert found.rows == 5
    assert "2 texts are empty (" in found.warnings[0]


@pytest.mark.parametrize("content", ["", "a", "a\n", "a\n\n", "a\n\nb\r\nc\u2028d\n"])
def test_lines(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(content, newline="")
    texts = [text for piece in text_pieces(tmp_path / "t.txt") for text in piece.texts]
    expected = [line.removesuffix("\r") for line in content.split("\n")]
    assert texts == (expected[:-1] if expected[-1] == "" else expected)
    assert open_texts(tmp_path / "t.txt").check() == (len(texts), ())


def test_long_texts_make_short_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "CHARACTERS", 10)
    (tmp_path / "t.txt").write_text("1234567\n" * 5)
    assert [len(piece.texts) for piece in text_pieces(tmp_path / "t.txt")] == [2, 2, 1]


def test_the_first_of_a_pair_and_names_that_a_file_of_vectors_needs(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("vector,Sentence1,sentence2,text\n1,a,b,c\n")
    (piece,) = text_pieces(tmp_path / "p.csv")
    assert (piece.texts, piece.others) == (["a"], {"sentence2": ["b"]})


def test_keys_of_the_first_json_line_are_columns(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a", "tags": ["x", 1], "id": "7"}\n{"text": "b", "more": 1}\n')
    (piece,) = text_pieces(tmp_path / "t.jsonl")
    assert piece.others == {"tags": [["x", 1], None], "id": ["7", None]}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.txt", b"a\n\xff\n", "t.txt, line 2: byte 0xff is not UTF-8; .* --encoding"),
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b"text,text\na,b\n", 'line 1: column "text" occurs more than once'),
        ("t.csv", b"text,n\na,1\nb\n", "line 3: 1 column instead of 2"),
        ("t.csv", b'text,n\na,1\n"b,2\nc', "line 3: not CSV"),
        ("t.tsv", b"words\na\n", "no column for the text .*there are: words.*give --text-column"),
        ("t.jsonl", b'{"text": "a"}\n{"text"\n', "line 2: not JSON"),
        ("t.jsonl", b'{"text": "a"}\n[1]\n', "line 2: a JSON list instead of an object"),
        ("t.jsonl", b'{"text": "a"}\n{"n": 1}\n', 'line 2: no key "text"'),
        ("t.jsonl", b'{"text": "a"}\n{"text": null}\n', 'line 2: "text" is missing; repair'),
        ("t.jsonl", b'{"text": "a", "n": {"x": 1, "x": 2}}\n', 'line 1: the key "x" is there twice in one object'),
        ("t.parquet", b"PAR1", "t.parquet: cannot be read as Parquet: it is damaged or of another format; write the"),
    ],
)
def test_refusals(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        list(text_pieces(tmp_path / name))
    with pytest.raises(DataError, match=words):
        open_texts(tmp_path / name).check()


def test_a_column_or_file_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r'no column "noet" for the text .*did you mean "note"'):
        list(text_pieces(path, text_column="noet"))
    with pytest.raises(DataError, match=r"no\.csv: there is no such file"):
        open_texts(tmp_path / "no.csv")
    with pytest.raises(DataError, match=r" is a folder; give one file: texts one per line, or a table"):
        open_texts(tmp_path)
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table({"text": ["a", None]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match='row 2: "text" is missing'):
        list(text_pieces(tmp_path / "t.parquet"))


def test_a_check_names_every_bad_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,n\na,1\nb\nc,1,2\n")
    with pytest.raises(DataError, match=r"line 3: 1 column instead of 2 \(and 1 more: line 4\); repair the file$"):
        open_texts(tmp_path / "t.csv").check()


def test_columns_of_a_run_are_taken_where_the_table_has_all(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,title,body\na,b,c\n")
    for trained, expected in (
        ({"text_column": "title"}, ["b"]),
        ({"text_column": "title", "pair_column": "body"}, [("b", "c")]),
        ({"text_column": "title", "pair_column": "none"}, ["a"]),
    ):
        (piece,) = open_texts(tmp_path / "t.csv", trained=trained, pairs=True).pieces()
        assert piece.inputs == expected
