"""Files in and files out: predictions next to the columns of the input, in the format that the ending says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import ONE_THREAD, Runner

pandas = pytest.importorskip("pandas")
ROWS = {"id": ["7", "8", "9"], "review": ["a splendid film", 'a "dreadful", film', "so"], "stars": [5, 1, 3]}
SHARES = ["probability_bad", "probability_good"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pandas.DataFrame(ROWS).to_csv(tmp_path / "new.csv", index=False)
    return tmp_path / "new.csv"


def test_csv_to_csv_keeps_every_column(albertkit: Runner, run_folder: Path, table: Path) -> None:
    out = table.with_name("pred.csv")
    outcome = albertkit("predict", run_folder, "--input", table, "--output", out, *ONE_THREAD)
    assert (outcome.status, outcome.out) == (0, "")
    found = pandas.read_csv(out, dtype={"id": str})
    assert list(found.columns) == [*ROWS, "label", *SHARES]
    assert found[list(ROWS)].equals(pandas.DataFrame(ROWS))
    rows = albertkit("predict", run_folder, *ROWS["review"], *ONE_THREAD, "--json").rows
    assert found["label"].tolist() == [row["label"] for row in rows]
    for label in ("good", "bad"):
        expected = pytest.approx([row["probabilities"][label] for row in rows], abs=1e-6)
        assert found[f"probability_{label}"].tolist() == expected


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("given", ["csv", "jsonl", "parquet", "xlsx"])
def test_every_format_to_every_format(
    given: str, ending: str, albertkit: Runner, run_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({**ROWS, "label": ["good", None, "bad"]})
    source, out = tmp_path / f"new.{given}", tmp_path / f"pred.{ending}"
    if given == "csv":
        frame.to_csv(source, index=True)  # the index is a column without a name
    elif given == "jsonl":
        frame.to_json(source, orient="records", lines=True)
    elif given == "xlsx":
        pytest.importorskip("openpyxl")
        frame.to_excel(source, index=False)
    else:
        frame.to_parquet(source)
    assert albertkit("predict", run_folder, "--input", source, "--output", out, *ONE_THREAD).status == 0
    unnamed = [""] if given == "csv" else []
    if ending == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert list(rows[0]) == [*unnamed, "id", "stars", "input_label", "text", "label", "probabilities"]
        assert [row["stars"] for row in rows] == (["5", "1", "3"] if given in ("csv", "xlsx") else [5, 1, 3])
        assert rows[0]["input_label"] == "good"
        assert rows[1]["input_label"] in ("", None)
        return
    found = (
        pandas.read_parquet(out)
        if ending == "parquet"
        else pandas.read_csv(out, sep="\t" if ending == "tsv" else ",", quoting=3 if ending == "tsv" else 0)
    )
    names = [str(name).replace("Unnamed: 0", "") for name in found.columns]
    assert names == [*unnamed, *ROWS, "label", "predicted_label", *SHARES]
    assert found["review"].tolist() == ROWS["review"]
    assert found["id"].astype(str).tolist() == ROWS["id"]
    assert found["stars"].astype(int).tolist() == ROWS["stars"]


def test_standard_input(albertkit: Runner, run_folder: Path, table: Path, tmp_path: Path) -> None:
    rows = albertkit("predict", run_folder, "--input", "-", *ONE_THREAD, "--json", given="a splendid film\nso\n").rows
    assert [row["text"] for row in rows] == ["a splendid film", "so"]
    out = tmp_path / "p.csv"
    asked = ("--input", "-", "--input-format", "csv", "--text-column", "review", "--output", out)
    assert albertkit("predict", run_folder, *asked, *ONE_THREAD, given=table.read_text()).status == 0
    assert list(pandas.read_csv(out).columns) == [*ROWS, "label", *SHARES]
    vectors = tmp_path / "v.npy"
    assert albertkit("embed", run_folder, "--input", "-", "--output", vectors, *ONE_THREAD, given="a\nb\n").status == 0
    for words, options in {
        "lines have no columns; say what standard input holds, such as --input-format csv": ("--text-column", "a"),
        "--ray": ("--ray", "local"),
    }.items():
        refused = albertkit("predict", run_folder, "--input", "-", *options, *ONE_THREAD)
        assert refused.status == 2
        assert words in refused.err
    refused = albertkit("predict", run_folder, "--input", table, "--input-format", "csv", *ONE_THREAD)
    assert "the ending of" in refused.err


@pytest.mark.parametrize(
    ("name", "words"), [("p.xlsx", "spreadsheets cannot be written; give a .csv"), ("-", "--output - is no file")]
)
def test_outputs_that_cannot_be(name: str, words: str, albertkit: Runner, run_folder: Path) -> None:
    refused = albertkit("predict", run_folder, "so", "--output", name, *ONE_THREAD)
    assert (refused.status, refused.out) == (2, "")
    assert words in refused.err


def test_the_input_is_not_written_over(albertkit: Runner, run_folder: Path, table: Path) -> None:
    before = table.read_text()
    for option in ("--output", "--explain-html"):
        refused = albertkit(
            "predict", run_folder, "--input", table, option, table.parent / "." / table.name, *ONE_THREAD
        )
        assert (refused.status, refused.out) == (2, "")
        assert f'{table.name}" is the --input itself; give another file' in refused.err
    assert table.read_text() == before


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("id,review\n1,so\n", "csv"),
        ('"text","n"\n"so",1\n', "csv"),
        ("\ufefftext\tlabel\nso\tgood\n", "tsv"),
        ('{"text": "so"}\n', "jsonl"),
        ("Well, text is one word, so\n", None),
        ("{so\n", None),
    ],
)
def test_a_table_on_standard_input_is_not_read_as_lines(
    given: str, kind: str | None, albertkit: Runner, run_folder: Path
) -> None:
    outcome = albertkit("predict", run_folder, "--input", "-", *ONE_THREAD, "--json", given=given)
    if kind is None:
        assert len(outcome.rows) == 1
        return
    assert (outcome.status, outcome.out) == (2, "")
    assert f"standard input looks like {kind} (its first line: " in outcome.err
    assert f"); pass --input-format {kind}, or --input-format lines to read each line as one text" in outcome.err
    lines = ("--input", "-", "--input-format", "lines")
    assert albertkit("predict", run_folder, *lines, *ONE_THREAD, "--json", given=given).status == 0
