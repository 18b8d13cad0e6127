"""Fine-tuning on pairs, from a table to a saved model whose vectors are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.tiny import BAD, FILLER, GOOD, execution, settings, tiny_folder, write_csv

from albertkit.errors import DataError
from albertkit.inference.predictor import Predictor
from albertkit.io.vectors import unit
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
