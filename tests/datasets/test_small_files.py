"""Small files as users bring them: each is read as it is meant, or refused in one sentence."""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from albertkit.datasets import load_dataset, open_data
from albertkit.datasets.text_files import open_texts
from albertkit.errors import AlbertkitError, DataError, UsageError

ROWS = [("free prize, call now", "spam"), ("see you at six", "ham"), ("win \u00a31000 cash", "spam")]
PLAIN = '{}\n"free prize, call now"{}spam\n"see you at six"{}ham\n"win \u00a31000 cash"{}spam\n'


def table(delimiter: str, header: str | None = None) -> str:
    return PLAIN.format(header or f"text{delimiter}label", *[delimiter] * 3)


def read(path: Path, **options: object) -> list[tuple[str, str]]:
    data = load_dataset(path, **options)  # type: ignore[arg-type]
    return [(row.text, data.labels[row.label]) for row in data]


def streamed(path: Path, **options: str) -> list[str]:
    return [text for piece in open_texts(path, **options).pieces() for text in piece.texts]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", table(",").encode()),
        ("bom.csv", table(",").encode("utf-8-sig")),
        ("cr.csv", table(",").replace("\n", "\r").encode()),
        ("crlf.csv", table(",").replace("\n", "\r\n").encode()),
        ("utf16.csv", table(",").replace("\n", "\r\n").encode("utf-16")),
        ("header_spaces.csv", table(", ").encode()),
        ("unnamed.csv", b",text,label\n" + "".join(f'{n},"{t}",{y}\n' for n, (t, y) in enumerate(ROWS)).encode()),
        ("utf16.tsv", "text\tlabel\n".encode("utf-16") + "".join(f"{t}\t{y}\n" for t, y in ROWS).encode("utf-16-le")),
        ("cr.tsv", "\r".join(["text \tlabel", *("\t".join(row) for row in ROWS)]).encode()),
        ("cr.jsonl", "\r".join(json.dumps({"text": t, "label": y}) for t, y in ROWS).encode("utf-8-sig")),
        ("utf16.jsonl", "\n".join(json.dumps({"text": t, "label": y}) for t, y in ROWS).encode("utf-16")),
    ],
)
def test_one_table_in_many_forms(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == ROWS
    assert load_dataset(tmp_path / name).warnings == ()
    assert streamed(tmp_path / name) == [text for text, _ in ROWS]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        (table(";"), "a semicolon"),
        (table("\t"), "a tab"),
        (table("|"), "a vertical bar"),
        ("sep=;\n" + table(";"), "a semicolon"),
        ('"sep=^"\r\n' + table("^").replace("\n", "\r\n"), r"'\^'"),
        (table(";", "text;label").replace("\n", ";1,5\n").replace("label;1,5", "label;price, EUR"), "a semicolon"),
    ],
)
def test_another_delimiter_is_found_and_named(content: str, delimiter: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode())
    assert read(path) == ROWS
    (warning,) = load_dataset(path).warnings
    assert warning.startswith(str(path))
    assert re.search(f"a.csv: the columns are separated by {delimiter}, not by a comma", warning)
    assert open_texts(path).warnings == (warning,)
    assert streamed(path) == [text for text, _ in ROWS]


def test_a_name_may_hold_another_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,a|b|c|d,label\nx,1,u\ny,2,v\n")
    assert read(path) == [("x", "u"), ("y", "v")]
    assert load_dataset(path).warnings == ()


def test_lines_count_from_the_top_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for before in ("", "\n\n"):
        path.write_text(f"{before}sep=;\ntext;label\na;x\nb\n")
        with pytest.raises(DataError, match=f"line {4 + len(before)}: 1 column instead of 2"):
            open_data(path)


def test_columns_that_nobody_named(tmp_path: Path) -> None:
    path = tmp_path / "k.csv"
    path.write_bytes('v1,v2,,,\nspam,"win \u00a31000, now",,,\nham,see you,,,\n'.encode("cp1252"))
    options = {"text_column": "v2", "label_column": "v1", "encoding": "cp1252"}
    assert read(path, **options) == [("win \u00a31000, now", "spam"), ("see you", "ham")]
    assert streamed(path, text_column="v2", encoding="cp1252") == ["win \u00a31000, now", "see you"]
    for refused in (lambda: read(path, text_column="v2", label_column="v1"), lambda: streamed(path, text_column="v2")):
        with pytest.raises(DataError, match=r"k\.csv, line 2: byte 0xa3 is not UTF-8; .* or pass --encoding, such as"):
            refused()
    with pytest.raises(DataError, match=r"no column for the text \(there are: v1, v2; looked for"):
        open_data(path, encoding="cp1252")


def test_an_encoding_where_none_can_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='encoding "cp1252" works only with a table, but polarity is a known data set'):
        open_data("polarity", encoding="cp1252")
    pyarrow = pytest.importorskip("pyarrow.parquet")
    import pyarrow as arrow

    pyarrow.write_table(arrow.table({"text": ["a"], "label": [1.0]}), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="--encoding cp1252 is for text files"):
        open_data(tmp_path / "a.parquet", encoding="cp1252")


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_lists_that_went_through_pandas(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,labels\na,\"['sport', 'money']\"\nb,['sport']\nc,[]\n")
    data = load_dataset(path)
    assert (data.task, data.labels) == ("multilabel", ("money", "sport"))
    assert [row.label for row in data] == [(0, 1), (1,), ()]
    assert 'column "labels" holds lists written as text, which are read as several labels' in data.warnings[0]
    named = load_dataset(path, task="classification")
    assert named.labels == ("['sport', 'money']", "['sport']", "[]")
    with pytest.raises(DataError, match=r"line 2: .* cannot be read as a list of labels"):
        open_data(write(tmp_path / "b.csv", "text,label\na,['a' ... 'b']\nb,['a']\n"))


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_zeros_and_ones_need_names(ending: str, tmp_path: Path) -> None:
    rows = [[0, 1, 0], [1, 1, 0], [0, 0, 0]]
    path = tmp_path / f"a{ending}"
    if ending == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        import pyarrow

        parquet.write_table(
            pyarrow.table({"text": list("abc"), "labels": [[float(n) for n in row] for row in rows]}), path
        )
    elif ending == ".csv":
        write(path, "text,labels\n" + "".join(f'a,"{row}"\n' for row in rows))
    else:
        write(path, "".join(json.dumps({"text": "a", "labels": row}) + "\n" for row in rows))
    with pytest.raises(
        DataError, match=r'column "labels" holds lists of 3 zeros and ones, .* with --labels a,b,c \(labels'
    ):
        open_data(path)
    data = load_dataset(path, labels=["sport", "money", "health"])
    assert [row.label for row in data] == [(1,), (0, 1), ()]
    with pytest.raises(DataError, match=r"3 zeros and ones for 2 labels \(sport, money\)"):
        open_data(path, labels=["sport", "money"])


def labelled(path: Path, labels: list[str]) -> Path:
    return write(path, "text,label\n" + "".join(f'text {n},"{label}"\n' for n, label in enumerate(labels)))


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["[a, b]", "[a]", "[b]"], r"\[a, b\]"),
        (["[sport]", "[money]"], r"\[sport\]"),
        (["[0 0 0 ... 0 0 1]", "[0 0 0 ... 1 0 0]"], r"\[0 0 0 ... 0 0 1\]"),
        (["array([a, b])", "array([b])"], r"array\(\[a, b\]\)"),
    ],
)
def test_lists_that_cannot_be_read_are_no_classes(labels: list[str], shown: str, tmp_path: Path) -> None:
    path = labelled(tmp_path / "a.csv", labels)
    for task in (None, "multilabel"):
        with pytest.raises(
            DataError, match=rf'column "label" holds what looks like lists, but .{shown}. cannot be read'
        ):
            open_data(path, task=task)
    assert sorted(open_data(path, task="classification").labels) == sorted(labels)


def test_lists_as_arrays_and_without_brackets(tmp_path: Path) -> None:
    data = load_dataset(labelled(tmp_path / "a.csv", ["array(['a', 'b'], dtype=object)", "array(['b'], dtype=object)"]))
    assert (data.task, data.labels, [row.label for row in data]) == ("multilabel", ("a", "b"), [(0, 1), (1,)])
    path = labelled(tmp_path / "b.csv", ["0,1,0", "1,1,0"])
    with pytest.raises(DataError, match=r"holds lists of 3 zeros and ones, .* with --labels a,b,c"):
        open_data(path)
    assert [row.label for row in load_dataset(path, labels=["a", "b", "c"])] == [(1,), (0, 1)]


def test_a_list_without_its_end(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: .*\['a', 'b'. cannot be read as a list of labels"):
        open_data(labelled(tmp_path / "a.csv", ["['a', 'b'", "['b']"]))


def test_lists_of_the_classes_0_and_1(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,labels\na,[0]\nb,[1]\nc,"[0, 1]"\n')
    data = load_dataset(path)
    assert (data.task, data.labels) == ("multilabel", ("0", "1"))
    assert [row.label for row in data] == [(0,), (1,), (0, 1)]


@pytest.mark.parametrize(
    ("train", "test"), [("1.0 0.0", "1 0"), ("1 0", "1.0 0.0"), ("True False", "TRUE false"), ("True False", "1 0")]
)
def test_labels_that_splits_write_differently(train: str, test: str, tmp_path: Path) -> None:
    for split, labels in (("train", train), ("test", test)):
        one, zero = labels.split()
        write(tmp_path / f"{split}.csv", f"text,label\na,{one}\nb,{zero}\n")
    source = open_data(tmp_path)
    assert len(source.labels) == 2
    assert [row.label for row in source.split("test")] == [row.label for row in source.split("train")] == [1, 0]


def test_floats_of_parquet_beside_whole_numbers(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    for split, labels in (("train", [1.0, 0.0]), ("dev", [1, 0]), ("test", [True, False])):
        parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": labels}), tmp_path / f"{split}.parquet")
    source = open_data(tmp_path)
    assert source.labels == ("0", "1")
    assert {tuple(row.label for row in source.split(split)) for split in source.splits} == {(1, 0)}


READ = [
    ("bigint.csv", "text,label\na,9007199254740993\nb,9007199254740992\n", ("9007199254740992", "9007199254740993")),
    ("bool.csv", "text,label\na,True\nb,False\nc,TRUE\nd,false\n", ("false", "true")),
    ("comma.csv", 'text,label\na,"food, drink"\nb,cars\n', ("cars", "food, drink")),
    ("dup_id.csv", "id,text,label\n1,a,x\n1,b,y\n", ("x", "y")),
    ("emojis.csv", "text,label\na,\U0001f44d\U0001f3fd\nb,\U0001f44d\n", ("\U0001f44d", "\U0001f44d\U0001f3fd")),
    ("equal.csv", "text,label\na,x=1\nb,y=2\n", ("x=1", "y=2")),
    ("float.csv", "text,label\na,0.0\nb,1.0\nc,2.0\n", ("0", "1", "2")),
    ("leadzero.csv", "text,label\na,01\nb,1\nc,02\n", ("01", "1", "02")),
    ("na.csv", "text,label\nwindhoek,NA\nberlin,DE\n", ("DE", "NA")),
    ("none.csv", "text,label\na,None\nb,tax\n", ("None", "tax")),
    ("names.jsonl", '{"text": "a", "labels": ["b", "a"]}\n{"text": "c", "labels": []}\n', ("a", "b")),
    ("u2028.jsonl", '{"text": "a\u2028b\u0085", "label": "x"}\n{"text": "c", "label": "y"}\n', ("x", "y")),
    ("wide.csv", "text,label," + ",".join(f"c{n}" for n in range(999)) + "\na,x" + ",1" * 999 + "\n", ("x",)),
    ("blank.tsv", "text\tlabel\n\"unclosed\tham\nfine\tspam\n", ("ham", "spam")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "labels"), READ, ids=[name for name, _, _ in READ])
def test_labels_of_small_files(name: str, content: str, labels: tuple[str, ...], tmp_path: Path) -> None:
    source = open_data(write(tmp_path / name, content))
    assert sorted(source.labels) == sorted(labels)
    assert source.split("train").skipped == ()


def test_nul_in_csv(tmp_path: Path) -> None:
    path = write(tmp_path / "nul.csv", "text,label\na\0b,x\nc,y\n")
    if sys.version_info >= (3, 11):
        assert sorted(open_data(path).labels) == ["x", "y"]
    else:
        with pytest.raises(DataError, match=r"nul\.csv, line 2: a NUL character, which Python cannot read in CSV"):
            open_data(path)


REFUSED = [
    ("array.jsonl", '[{"text": "a"}]', "line 1: a JSON list instead of an object"),
    ("pretty.jsonl", '[\n {\n "text": "a"\n }\n]', "line 1: not JSON .*each line must be one JSON object"),
    ("backslash.csv", 'text,label\n"said \\"hi\\" to",ham\n', "line 2: not CSV"),
    ("columns.csv", "text,sport,money\na,0,1\n", "no column for the label .*there are: text, sport, money"),
    ("excel.tsv", 'text\tlabel\n"two\tcells"\tspam\n', "line 2: 3 columns instead of 2"),
    ("int_text.jsonl", '{"text": 5, "label": "a"}', 'line 1: "text" is 5, a int, not a text'),
    ("null.jsonl", '{"text": null, "label": "a"}', 'line 1: "text" is missing'),
    ("twice.jsonl", '{"text": "a", "label": 1, "text": "b"}', 'line 1: the key "text" is there twice in one object'),
    ("nan.jsonl", '{"text": "a", "label": NaN}', "line 1: the label .* is missing"),
    ("nan.csv", "text,label\na,yes\nb,\n", "line 3: the label in column .label. is missing"),
    ("noheader.csv", '"free prize",spam\n"see you",ham\n', "no column for the text .*there are: free prize, spam"),
    ("decimal.csv", 'text,label\na,"3,5"\nb,"2,0"\n', 'label "3,5" is not a number, .*; write 3.5'),
    ("twice.csv", "text, text,label\na,b,c\n", 'column "text" occurs more than once'),
    ("a.csv", "text,label\na,x\n", "unknown encoding"),
]


@pytest.mark.parametrize(("name", "content", "sentence"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_small_files_that_are_refused(name: str, content: str, sentence: str, tmp_path: Path) -> None:
    encoding = "utf8x" if sentence == "unknown encoding" else None
    with pytest.raises(AlbertkitError, match=sentence):
        open_data(write(tmp_path / name, content), encoding=encoding)


def test_empty_texts_are_told(tmp_path: Path) -> None:
    data = load_dataset(write(tmp_path / "a.csv", "text,label\n,a\nhello,b\n   ,a\n"))
    assert data.warnings == (f"{tmp_path / 'a.csv'}: 2 texts are empty (line 2, line 4)",)


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_json_is_not_read_as_lines_of_text(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one JSON object per line goes into a \.jsonl file"):
        streamed(write(tmp_path / name, '{"text": "a"}\n'))


def test_many_columns_take_no_longer_than_few_cells(tmp_path: Path) -> None:
    count = 60_000  # a quadratic look at the names took minutes
    names = ",".join(f"c{number}" for number in range(count))
    path = write(tmp_path / "a.csv", f"text,label,{names}\na,x{',1' * count}\n")
    assert read(path) == [("a", "x")]
    assert streamed(path) == ["a"]
    with pytest.raises(DataError, match=r"c17, \.\.\. \(60,002 in all\)\)") as told:
        open_data(path, text_column="words")
    assert len(str(told.value)) < 1000


def test_columns_that_cannot_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,,\na,b,c\n")
    for refused in (lambda: open_data(path, text_column=""), lambda: streamed(path, text_column="")):
        with pytest.raises(DataError, match='no column "" for the text'):
            refused()


def test_parquet_whose_names_or_bytes_cannot_be(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    column = pyarrow.array(["a", "b"])
    parquet.write_table(pyarrow.Table.from_arrays([column, column], names=["text", "text"]), path)
    with pytest.raises(DataError, match=r'a\.parquet: column "text" occurs more than once'):
        open_data(path)
    parquet.write_table(pyarrow.table({"text": column, "label": column}), path)
    assert len(load_dataset(path, label_column="text")) == 2
    parquet.write_table(pyarrow.table({"text": column}), path, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"\x01\0\0\0a\x01\0\0\0b", b"\x01\0\0\0\xff\x01\0\0\0b"))
    for refused in (lambda: open_data(path, labelled=False).split("train"), lambda: streamed(path)):
        with pytest.raises(DataError, match="cannot be read as Parquet"):
            refused()


def test_every_case_of_the_shared_folder(shared: Path) -> None:
    for path in sorted((shared / "cases" / "csv").iterdir()):
        if path.suffix != ".json":
            with suppress(AlbertkitError):  # and nothing else
                load_dataset(path)
