"""Fine-tuning on pairs, from a table to a saved model whose vectors are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.checkpoints.sentence_folders import OUT, dense_model
from tests.tiny import BAD, FILLER, GOOD, execution, settings, tiny_folder, write_csv

from albertkit.errors import DataError, UsageError
from albertkit.inference.predictor import Predictor
from albertkit.io.vectors import unit
from albertkit.models.pretrained import save_model
from albertkit.training.finetune import finetune


def pairs(count: int, *, graded: bool) -> list[tuple[str, str, str]]:
    """Pairs whose texts share a word of GOOD or BAD; if graded, every other pair does not and has the number 0."""
    random = np.random.RandomState(5)
    words = [*GOOD, *BAD]
    rows = []
    for number in range(count):
        first = words[number % len(words)]
        together = not graded or number % 2 == 0
        second = first if together else words[(number + 3) % len(words)]
        rows.append((f"{random.choice(FILLER)} {first}", f"{random.choice(FILLER)} {second}", "1" if together else "0"))
    return rows


@pytest.mark.learning
@pytest.mark.parametrize("graded", [True, False], ids=["numbers", "positives"])
def test_it_learns_which_texts_belong_together(graded: bool, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "pairs.csv", pairs(80, graded=graded), columns=("text1", "text2", "label"))
    asked = settings(
        data, tmp_path / "run", model=str(tiny_folder()), task="similarity", pooling="mean", validation=0.3, epochs=8,
        learning_rate=1e-2, batch_tokens=64,
    )  # fmt: skip
    report = finetune(asked)
    assert report.epochs[-1]["train"]["loss"] < report.epochs[0]["train"]["loss"]
    assert report.epochs[report.best_epoch - 1]["validation"]["spearman"] > 30
    assert ("nearest/accuracy" in report.metrics) == (not graded)
    assert [baseline.name for baseline in report.baselines] == ["shared_words"]

    model = Predictor.load(tmp_path / "run", execution=execution())
    assert (model.default_pooling, model.model.max_length) == ("mean", 32)
    texts = ["a splendid", "the splendid"]
    vectors = unit(model.embed(texts))
    np.testing.assert_array_equal(model.embed(texts), model.embed(texts, pooling="mean"))
    (row,) = model.predict([(texts[0], texts[1])])
    assert list(row) == ["text", "pair", "similarity"]
    assert row["similarity"] == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)


def test_a_table_without_pairs_is_refused(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", [("a", "1"), ("b", "0")] * 20)
    with pytest.raises(DataError, match="similarity needs two"):
        finetune(settings(data, tmp_path / "run", task="similarity"))


@pytest.mark.learning
def test_it_learns_from_triplets(tmp_path: Path) -> None:
    words = [*GOOD, *BAD]
    random = np.random.RandomState(5)
    rows = [
        [f"{random.choice(FILLER)} {words[(number + step) % len(words)]}" for step in (0, 0, 3)] for number in range(80)
    ]
    data = write_csv(tmp_path / "triplets.csv", rows, columns=("anchor", "positive", "negative"))
    asked = settings(
        data, tmp_path / "run", model=str(tiny_folder()), validation=0.3, epochs=8, learning_rate=1e-2, batch_tokens=96
    )
    report = finetune(asked)  # the task follows from the columns
    assert report.task == "similarity"
    assert report.epochs[-1]["train"]["loss"] < report.epochs[0]["train"]["loss"]
    assert report.metrics["triplet/accuracy"] > 60
    with pytest.raises(DataError, match=r"the rows are triplets, which only --task similarity reads"):
        finetune(settings(data, tmp_path / "other", task="regression"))


def test_a_declared_map_is_kept_by_triplets(tmp_path: Path) -> None:
    save_model(dense_model(), tmp_path / "dense")
    rows = [(f"a {word}", f"the {word}", f"a {BAD[0]}") for word in GOOD] * 4
    data = write_csv(tmp_path / "triplets.csv", rows, columns=("anchor", "positive", "negative"))
    finetune(settings(data, tmp_path / "run", model=str(tmp_path / "dense"), epochs=1, validation=0.3))
    model = Predictor.load(tmp_path / "run", execution=execution())
    assert model.model.head.dense is not None
    assert model.model.head.dense.equals(dense_model().embedding.dense)  # type: ignore[union-attr]
    assert model.embed("a word").shape == (1, OUT)


def test_matryoshka_sizes_are_scored_and_kept(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "pairs.csv", pairs(80, graded=True), columns=("text1", "text2", "label"))
    asked = settings(
        data, tmp_path / "run", model=str(tiny_folder()), task="similarity", validation=0.3, epochs=1,
        dimensions=(5, 16, 3),
    )  # fmt: skip
    report = finetune(asked)
    assert list(report.metrics) == ["pearson", "spearman", "spearman/3", "spearman/5"]  # 16 is all of them
    assert "spearman/5" in report.epochs[0]["validation"]
    model = Predictor.load(tmp_path / "run", execution=execution())
    assert model.sizes() == (3, 5, 16)
    texts = ["a splendid", "the splendid"]
    np.testing.assert_allclose(model.embed(texts, dimensions=5), unit(model.embed(texts)[:, :5]), atol=1e-6)
    np.testing.assert_array_equal(model.embed(texts, dimensions=16), model.embed(texts))
    assert model.embed([], dimensions=5).shape == (0, 5)
    with pytest.raises(UsageError, match="was not trained to give vectors of 4 dimensions; give 3, 5 or 16"):
        model.embed(texts, dimensions=4)
    with pytest.raises(UsageError, match="give 16, or leave dimensions out"):  # they were trained for another pooling
        model.embed(texts, dimensions=5, pooling="cls")
    for wrong, words in (
        ((0,), "names 0"),
        ((17,), "names 17, but the vectors of .* have 16; give sizes from 1 to 16"),
    ):
        with pytest.raises(UsageError, match=words):
            finetune(settings(data, tmp_path / "other", model=str(tiny_folder()), task="similarity", dimensions=wrong))
    with pytest.raises(UsageError, match="--dimensions is for --task similarity"):
        finetune(settings(data, tmp_path / "other", model=str(tiny_folder()), task="regression", dimensions=(5,)))
