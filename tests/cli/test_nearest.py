"""`albertkit nearest`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.checkpoints.sentence_folders import OUT, dense_model
from tests.cli.running import ONE_THREAD, Runner
from tests.tiny import execution, tiny_folder
from tests.written_vectors import write_vectors

from albertkit.inference.predictor import Predictor
from albertkit.io.vectors import MadeBy, unit
from albertkit.models.pretrained import load_model, save_model, with_task_head
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.similarity import SIMILARITY

pytest.importorskip("pyarrow")

TEXTS = ["a fine film", "two hours", "a fine film", "an odd thing to say of a film", "no"]


@pytest.fixture
def vectors(albertkit: Runner, tmp_path: Path) -> Path:
    (tmp_path / "in.txt").write_text("\n".join(TEXTS))
    arguments = ("--input", tmp_path / "in.txt", "--output", tmp_path / "v.parquet", "--pooling", "cls")
    assert albertkit("embed", tiny_folder(), *arguments, "--max-length", "5", *ONE_THREAD).status == 0
    return tmp_path / "v.parquet"


def test_the_question_is_embedded_as_the_texts_were(vectors: Path, albertkit: Runner) -> None:
    found = albertkit("nearest", vectors, "a fine film indeed", "--top", "4", *ONE_THREAD, "--json").json
    assert [list(row) for row in found] == [["text", "similarity"]] * 4
    predictor = Predictor(load_model(tiny_folder()), execution=execution())
    rows = unit(predictor.embed([*TEXTS, "a fine film indeed"], pooling="cls", max_length=5))
    cosines = rows[:-1] @ rows[-1]
    order = np.argsort(-cosines, kind="stable")[:4]
    assert [row["text"] for row in found] == [TEXTS[index] for index in order]
    assert [row["similarity"] for row in found] == pytest.approx(cosines[order].tolist(), abs=1e-5)
    lines = albertkit("nearest", vectors, "two hours", "--top", "1", *ONE_THREAD).out
    assert lines == "1.0000  two hours\n"


def test_json_has_every_column(albertkit: Runner, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        "".join(f'{{"id": {n}, "text": "{text}", "similarity": "s{n}"}}\n' for n, text in enumerate(TEXTS))
    )
    arguments = ("--input", tmp_path / "in.jsonl", "--output", tmp_path / "v.parquet", *ONE_THREAD)
    assert albertkit("embed", tiny_folder(), *arguments).status == 0
    found = albertkit("nearest", tmp_path / "v.parquet", "no", "--top", "5", *ONE_THREAD, "--json").json
    assert [list(row) for row in found] == [["text", "similarity", "id", "input_similarity"]] * 5
    assert [TEXTS[int(row["id"])] for row in found] == [row["text"] for row in found]
    assert [row["input_similarity"] for row in found] == [f"s{row['id']}" for row in found]


def test_a_model_with_a_dense_map_finds_by_its_mapped_vectors(albertkit: Runner, tmp_path: Path) -> None:
    save_model(dense_model(), tmp_path / "dense")
    (tmp_path / "in.txt").write_text("\n".join(TEXTS))
    arguments = ("--input", tmp_path / "in.txt", "--output", tmp_path / "v.parquet", *ONE_THREAD, "--json")
    assert albertkit("embed", tmp_path / "dense", *arguments).json["dimensions"] == OUT
    found = albertkit("nearest", tmp_path / "v.parquet", "one more film", "--top", "5", *ONE_THREAD, "--json").json
    rows = unit(Predictor(dense_model(), execution=execution()).embed([*TEXTS, "one more film"]))
    cosines = np.sort(rows[:-1] @ rows[-1])[::-1]
    assert [row["similarity"] for row in found] == pytest.approx(cosines.tolist(), abs=1e-5)
    assert albertkit("embed", tmp_path / "dense", *arguments, "--pooling", "cls").json["dimensions"] == 16


def test_a_file_that_does_not_say_its_model_needs_it_said(albertkit: Runner, tmp_path: Path) -> None:
    predictor = Predictor(load_model(tiny_folder()), execution=execution())
    write_vectors(tmp_path / "v.parquet", predictor.embed(TEXTS), texts=TEXTS)
    outcome = albertkit("nearest", tmp_path / "v.parquet", "two hours")
    assert (outcome.status, outcome.out) == (2, "")
    assert "does not say which model made its vectors; give the model with --model" in outcome.err
    arguments = ("nearest", tmp_path / "v.parquet", "two hours", "--top", "1", "--model", tiny_folder(), *ONE_THREAD)
    assert albertkit(*arguments, "--json").json == [{"text": "two hours", "similarity": pytest.approx(1)}]


def test_a_model_that_is_gone(albertkit: Runner, tmp_path: Path) -> None:
    gone = MadeBy(str(tmp_path / "gone"), "mean", 64)
    write_vectors(tmp_path / "v.parquet", np.ones((1, 16), np.float32), texts=["a"], made_by=gone)
    outcome = albertkit("nearest", tmp_path / "v.parquet", "b")
    assert (outcome.status, outcome.out) == (2, "")
    assert 'gone", which no longer exists; give its new path with --model' in outcome.err
    other = albertkit("nearest", tmp_path / "v.parquet", "b", "--model", tiny_folder(), *ONE_THREAD)
    assert "not the vectors that" in other.failure()


def test_refusals(albertkit: Runner, tmp_path: Path) -> None:
    outcome = albertkit("nearest", tmp_path / "v.npy", "b")
    assert (outcome.status, outcome.out) == (2, "")
    assert "an .npy file holds no texts" in outcome.err
    assert "no.parquet: there is no such file" in albertkit("nearest", tmp_path / "no.parquet", "b").failure()
    assert albertkit("nearest", tmp_path / "v.parquet", "b", "--top", "0").status == 2


def test_cut_vectors_find_by_the_cut_question(albertkit: Runner, tmp_path: Path) -> None:
    model = with_task_head(load_model(tiny_folder()), task="similarity", labels=(), head=HeadSpec(pooling="mean"))
    save_model(replace(model, task=replace(SIMILARITY, dimensions=(5,))), tmp_path / "cut")
    (tmp_path / "in.txt").write_text("\n".join(TEXTS))
    arguments = ("--input", tmp_path / "in.txt", "--output", tmp_path / "v.parquet", *ONE_THREAD, "--json")
    assert albertkit("embed", tmp_path / "cut", *arguments, "--dimensions", "5").json["dimensions"] == 5
    found = albertkit("nearest", tmp_path / "v.parquet", "one more film", "--top", "5", *ONE_THREAD, "--json").json
    rows = unit(Predictor(model, execution=execution()).embed([*TEXTS, "one more film"])[:, :5])
    cosines = np.sort(rows[:-1] @ rows[-1])[::-1]
    assert [row["similarity"] for row in found] == pytest.approx(cosines.tolist(), abs=1e-5)
    outcome = albertkit("embed", tmp_path / "cut", *arguments, "--dimensions", "4")
    assert outcome.status == 2
    assert "was not trained to give vectors of 4 dimensions; give 5 or 16" in outcome.err
    other = albertkit("nearest", tmp_path / "v.parquet", "b", "--model", tiny_folder(), *ONE_THREAD)
    assert "vectors of 5 numbers, but those of" in other.failure()


def test_a_model_of_pairs_orders_the_first_hits(vectors: Path, albertkit: Runner, tmp_path: Path) -> None:
    model = with_task_head(load_model(tiny_folder()), task="regression", labels=(), seed=5)
    save_model(model, tmp_path / "pairs")
    nearest = albertkit("nearest", vectors, "a film", "--top", "3", *ONE_THREAD, "--json").json
    arguments = ("nearest", vectors, "a film", "--rerank", tmp_path / "pairs", "--candidates", "3", *ONE_THREAD)
    found = albertkit(*arguments, "--top", "2", "--json").json
    predictor = Predictor(load_model(tmp_path / "pairs"), execution=execution())
    scores = {row["text"]: predictor.predict([("a film", row["text"])])[0]["value"] for row in nearest}
    assert [row["score"] for row in found] == pytest.approx(
        sorted((scores[row["text"]] for row in nearest), reverse=True)[:2], abs=1e-5
    )
    assert all(scores[row["text"]] == pytest.approx(row["score"], abs=1e-5) for row in found)
    line = albertkit(*arguments, "--top", "1").out
    assert line == f"{found[0]['score']:.4f}  {found[0]['text']}\n"
    outcome = albertkit("nearest", vectors, "a film", "--rerank", tiny_folder(), *ONE_THREAD)
    assert (outcome.status, "has no task head and cannot rerank" in outcome.err) == (2, True)
    assert "need --rerank" in albertkit("nearest", vectors, "a film", "--candidates", "3").err


def test_an_index_finds_the_same(vectors: Path, albertkit: Runner) -> None:
    pytest.importorskip("faiss")
    arguments = ("nearest", vectors, "a fine film indeed", "--top", "4", *ONE_THREAD, "--json")
    exact = albertkit(*arguments).json
    first = albertkit(*arguments, "--index")
    assert "v.parquet.hnsw" in first.err
    again = albertkit(*arguments, "--index")
    assert "index" not in again.err
    for found in (first.json, again.json):
        assert [row["text"] for row in found] == [row["text"] for row in exact]
        assert [row["similarity"] for row in found] == pytest.approx([row["similarity"] for row in exact], abs=1e-6)
