"""Texts of files piece by piece: the same as of the whole file, and each refusal names its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from albertkit.datasets import load_dataset, text_stream
from albertkit.datasets.text_stream import count_rows, text_pieces
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


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_pieces_of_a_table(ending: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_stream, "ROWS", rows)
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
    assert count_rows(path) >= 5


@pytest.mark.parametrize("content", ["", "a", "a\n", "a\n\n", "a\n\nb\r\nc\u2028d\n"])
def test_lines(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(content, newline="")
    texts = [text for piece in text_pieces(tmp_path / "t.txt") for text in piece.texts]
    expected = [line.removesuffix("\r") for line in content.split("\n")]
    assert texts == (expected[:-1] if expected[-1] == "" else expected)
    assert count_rows(tmp_path / "t.txt") == len(texts)


def test_long_texts_make_short_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_stream, "CHARACTERS", 10)
    (tmp_path / "t.txt").write_text("1234567\n" * 5)
    assert [len(piece.texts) for piece in text_pieces(tmp_path / "t.txt")] == [2, 2, 1]


def test_the_first_of_a_pair_and_names_that_a_file_of_vectors_needs(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("vector,Sentence1,sentence2,text\n1,a,b,c\n")
    (piece,) = text_pieces(tmp_path / "p.csv")
    assert (piece.texts, piece.others) == (["a"], {"sentence2": ["b"]})


def test_keys_of_json_lines_become_texts(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a", "tags": ["x", 1], "id": "7"}\n{"text": "b", "more": 1}\n')
    (piece,) = text_pieces(tmp_path / "t.jsonl")
    assert piece.others == {"tags": ['["x", 1]', None], "id": ["7", None]}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.txt", b"a\n\xff\n", "t.txt, line 2: byte 0xff is not UTF-8; .* --encoding"),
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b"text,text\na,b\n", 'line 1: column "text" is there more than once'),
        ("t.csv", b"text,n\na,1\nb\n", "line 3: 1 columns instead of 2"),
        ("t.csv", b'text,n\na,1\n"b,2\nc', "line 3: not CSV"),
        ("t.tsv", b"words\na\n", "no column for the text .*there are: words.*give --text-column"),
        ("t.jsonl", b'{"text": "a"}\n{"text"\n', "line 2: not JSON"),
        ("t.jsonl", b'{"text": "a"}\n[1]\n', "line 2: a JSON list instead of an object"),
        ("t.jsonl", b'{"text": "a"}\n{"n": 1}\n', 'line 2: no key "text"'),
        ("t.jsonl", b'{"text": "a"}\n{"text": null}\n', 'line 2: "text" is missing; repair'),
        ("t.parquet", b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_refusals(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        list(text_pieces(tmp_path / name))


def test_a_column_or_file_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r'no column "noet" for the text .*did you mean "note"'):
        list(text_pieces(path, text_column="noet"))
    for read in (count_rows, lambda path: list(text_pieces(path))):
        with pytest.raises(DataError, match=r"no\.csv: there is no such file"):
            read(tmp_path / "no.csv")
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table({"text": ["a", None]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match='row 2: "text" is missing'):
        list(text_pieces(tmp_path / "t.parquet"))
