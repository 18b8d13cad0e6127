"""`albertkit embed`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import execution, leftovers, tiny_folder

from albertkit.datasets import text_files
from albertkit.inference.predictor import Predictor
from albertkit.io.vectors import MadeBy, VectorFile
from albertkit.models.pretrained import load_model

TEXTS = ["a fine film", "", "two hours"]


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
def test_one_vector_a_line(pooling: str, albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("\n".join(TEXTS))
    arguments = ("--input", tmp_path / "in.txt", "--output", tmp_path / "v.npy", "--pooling", pooling)
    found = albertkit("embed", tiny_folder(), *arguments, *ONE_THREAD, "--json").json
    assert list(found) == ["texts", "dimensions", "seconds"]
    assert (found["texts"], found["dimensions"]) == (3, 16)
    vectors = Predictor(load_model(tiny_folder()), execution=execution()).embed(TEXTS, pooling=pooling)
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), vectors, atol=1e-5)
    assert not leftovers(tmp_path)


def test_a_table_to_parquet(albertkit: Runner, keywords: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "v.parquet"
    outcome = albertkit("embed", tiny_folder(), "--input", keywords, "--output", out, *ONE_THREAD)
    assert outcome.out.startswith("120 vectors of 16 in ")
    table = parquet.read_table(out)
    assert table.column_names == ["text", "vector", "label"]
    assert table.num_rows == 120
    assert VectorFile(out).made_by == MadeBy(str(tiny_folder().resolve()), "mean", 64)


@pytest.mark.parametrize("ending", [".npy", ".parquet"])
def test_piece_by_piece_is_the_same(
    ending: str, albertkit: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    texts = [" ".join(["film"] * (number % 23)) for number in range(50)]
    (tmp_path / "in.txt").write_text("\n".join([*texts, ""]))
    monkeypatch.setattr(text_files, "ROWS", 7)
    arguments = ("--input", tmp_path / "in.txt", "--output", tmp_path / f"v{ending}", *ONE_THREAD, "--json")
    outcome = albertkit("embed", tiny_folder(), *arguments)
    assert outcome.json["texts"] == 50
    assert "note: 3 of 50 texts are empty or blank" in outcome.err
    whole = Predictor(load_model(tiny_folder()), execution=execution()).embed(texts)
    if ending == ".npy":
        found = np.load(tmp_path / "v.npy")
    else:
        pieces = list(VectorFile(tmp_path / "v.parquet").pieces())
        assert [text for piece, _ in pieces for text in piece] == texts
        found = np.concatenate([vectors for _, vectors in pieces])
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_a_bad_row_far_down_leaves_what_stood_there(
    albertkit: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_bytes(b"a\n" * 20 + b"\xff\n")
    (tmp_path / "v.npy").write_text("older")
    monkeypatch.setattr(text_files, "ROWS", 7)
    arguments = ("--input", tmp_path / "in.txt", "--output", tmp_path / "v.npy")
    assert (
        "in.txt, line 21: byte 0xff is not UTF-8"
        in albertkit("embed", tiny_folder(), *arguments, *ONE_THREAD).failure()
    )
    assert (tmp_path / "v.npy").read_text() == "older"
    assert not leftovers(tmp_path)


def test_the_input_is_not_written_over(albertkit: Runner, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    table.write_text("a")
    outcome = albertkit("embed", tiny_folder(), "--input", table, "--output", tmp_path / "." / "t.parquet")
    assert (outcome.status, outcome.out) == (2, "")
    assert "is the --input itself" in outcome.err


def test_an_empty_file_gives_an_empty_array(albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("")
    arguments = ("--input", tmp_path / "in.txt", "--output", tmp_path / "v.npy")
    assert albertkit("embed", tiny_folder(), *arguments, *ONE_THREAD, "--json").json["texts"] == 0
    assert np.load(tmp_path / "v.npy").shape == (0, 16)


@pytest.mark.parametrize(("length", "words"), [("65", "64 positions"), ("0", "0")])
def test_a_length_that_cannot_be(length: str, words: str, albertkit: Runner, keywords: Path, tmp_path: Path) -> None:
    arguments = ("--input", keywords, "--output", tmp_path / "v.npy", "--max-length", length)
    outcome = albertkit("embed", tiny_folder(), *arguments, *ONE_THREAD, "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert words in outcome.err
    assert not list(tmp_path.iterdir())


def test_texts_of_the_command_line(albertkit: Runner, tmp_path: Path) -> None:
    rows = albertkit("embed", tiny_folder(), "one text", "another", *ONE_THREAD).rows
    assert [row["text"] for row in rows] == ["one text", "another"]
    out = tmp_path / "v.npy"
    found = albertkit("embed", tiny_folder(), "one text", "another", "--output", out, *ONE_THREAD, "--json").json
    assert (found["texts"], found["dimensions"]) == (2, len(rows[0]["vector"]))
    np.testing.assert_allclose([row["vector"] for row in rows], np.load(out), rtol=1e-6)
    for arguments, words in {
        (): "give either texts or --input FILE",
        ("a", "--input", "b"): "give either texts or --input FILE",
        ("a", "--encoding", "cp1252"): "--encoding needs --input",
        ("a", "--ray", "local", "--output", "b"): "--ray needs --input FILE and --output FOLDER",
    }.items():
        refused = albertkit("embed", tiny_folder(), *arguments)
        assert (refused.status, refused.out) == (2, "")
        assert words in refused.err
