"""`albertkit embed`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import execution, leftovers, tiny_folder

from albertkit.predictor import Predictor
from albertkit.pretrained import load_model

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
    assert table.column_names == ["text", "vector"]
    assert table.num_rows == 120


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
