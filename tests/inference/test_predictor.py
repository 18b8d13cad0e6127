"""Predictor: texts in, predictions or vectors out, in the order of the texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tiny import execution, tiny_folder

from albertkit.data.examples import TextExample
from albertkit.data.texts import InputError
from albertkit.errors import UsageError
from albertkit.inference.loading import load
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_sequences
from albertkit.models.pretrained import load_model, with_task_head

TEXTS = ["two hours", "a fine film", "", "an extraordinarily long sentence about very little at all", "x"]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    model = with_task_head(load_model(tiny_folder()), task="classification", labels=("bad", "good", "odd"))
    return Predictor(model, execution=execution())


def test_rows_are_as_the_contract_says(predictor: Predictor) -> None:
    rows = predictor.predict(TEXTS)
    assert [row["text"] for row in rows] == TEXTS
    for row in rows:
        assert list(row) == ["text", "label", "probabilities"]
        assert list(row["probabilities"]) == ["bad", "good", "odd"]
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].__getitem__)


def test_a_text_does_not_depend_on_its_neighbours(predictor: Predictor) -> None:
    together = predictor.logits([TextExample(text) for text in TEXTS])
    alone = np.concatenate([predictor.logits([TextExample(text)]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_small_batches_give_the_same_and_report_each_text_once(predictor: Predictor) -> None:
    sequences = predictor.model.tokenizer.sequences(TEXTS)
    finished: list[int] = []
    seen: list[int] = []
    whole = predictor.logits([TextExample(text) for text in TEXTS])
    for indices, batch, found in run_sequences(
        predictor.runtime, sequences, outputs=["logits"], batch_tokens=8, progress=finished.append
    ):
        assert len(indices) == len(batch) == len(found["logits"])
        np.testing.assert_allclose(found["logits"], whole[indices], atol=1e-5)
        seen += indices.tolist()
    assert sorted(seen) == list(range(len(TEXTS)))
    assert sum(finished) == len(TEXTS)
    assert len(finished) > 1


def test_one_text_pairs_and_none(predictor: Predictor) -> None:
    (row,) = predictor.predict("a fine film")
    assert row["label"] == predictor.predict(["a fine film"])[0]["label"]
    (pair,) = predictor.predict([("a film", "fine")])
    assert (pair["text"], pair["pair"]) == ("a film", "fine")
    assert predictor.predict([]) == []
    assert predictor.embed([]).shape == (0, 16)


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
def test_vectors_are_what_the_encoder_says_of_each_text(pooling: str, predictor: Predictor) -> None:
    vectors = predictor.embed(TEXTS, pooling=pooling)
    assert vectors.shape == (len(TEXTS), 16)
    for text, vector in zip(TEXTS, vectors, strict=True):
        with torch.inference_mode():
            output = predictor.model.network.eval()(predictor.model.tokenizer([text]))
        hidden = output.sequence_output
        by_hand = {"mean": hidden.mean(0), "cls": hidden[0], "pooler": output.pooled_output[0]}[pooling]
        np.testing.assert_allclose(vector, by_hand.numpy(), atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
def test_a_head_reads_the_vectors_that_embed_gives(pooling: str, predictor: Predictor) -> None:
    other = predictor.replace_head(labels=("a", "b"), pooling=pooling)
    vectors = torch.from_numpy(other.embed(TEXTS, pooling=pooling))
    with torch.inference_mode():
        by_hand = other.model.network.heads["classifier"].eval()(vectors).numpy()
    np.testing.assert_allclose(other.logits([TextExample(text) for text in TEXTS]), by_hand, atol=1e-6)
    assert f"pooling='{pooling}'" in repr(other)


def test_bf16_stays_near(predictor: Predictor) -> None:
    from dataclasses import replace

    rough = Predictor(predictor.model, execution=replace(execution(), precision="bf16"))
    np.testing.assert_allclose(rough.embed(TEXTS), predictor.embed(TEXTS), atol=0.1)


def test_special_words_in_a_text_are_text(predictor: Predictor) -> None:
    from albertkit.text.tokenizer import Tokenizer

    ids = predictor.model.tokenizer.sequences(["[MASK] [SEP]"])[0].input_ids
    assert Tokenizer.official().cls_id == ids[0]
    assert not {2, 3, 4} & set(ids[1:-1].tolist())


def test_refusals(predictor: Predictor) -> None:
    bare = Predictor(load_model(tiny_folder()), execution=execution())
    with pytest.raises(UsageError, match="has no task head; fine-tune it first"):
        bare.predict("a")
    with pytest.raises(UsageError, match=r'unknown pooling "men"; did you mean "mean"'):
        predictor.embed("a", pooling="men")
    with pytest.raises(UsageError, match=r"the max length is 65, but .* has 64 positions"):
        predictor.embed("a", max_length=65)
    with pytest.raises(UsageError, match="1"):
        predictor.embed("a", max_length=1)
    with pytest.raises(UsageError, match="0"):
        predictor.embed("a", max_length=0)
    with pytest.raises(InputError, match=r"row 1: .*surrogate"):
        predictor.predict(["fine", "\ud800"])


def test_replace_head_keeps_encoder_and_pooler(predictor: Predictor) -> None:
    other = predictor.replace_head(labels=("a", "b"), hidden=(8,), norm="batch")
    assert other.model.network.encoder is predictor.model.network.encoder
    assert other.model.network.encoder.pooler is predictor.model.network.encoder.pooler
    assert other.labels == ("a", "b")
    assert other.model.head.hidden == (8,)
    assert len(other.predict("a")[0]["probabilities"]) == 2
    assert len(predictor.predict("a")[0]["probabilities"]) == 3  # the first is as it was
    np.testing.assert_array_equal(other.embed(TEXTS), predictor.embed(TEXTS))
    with pytest.raises(UsageError, match='unknown task "classfication"; did you mean "classification"'):
        predictor.replace_head(labels=("a",), task="classfication")


def test_it_says_what_it_is(predictor: Predictor) -> None:
    shown = repr(predictor)
    assert "classification" in shown
    assert "'good'" in shown
    assert "\n" not in shown  # the network is in `predictor.model.network`


def test_the_model_that_comes_with_albertkit_loads_without_a_word() -> None:
    assert Predictor.load("albert-nano", execution=execution()).model.task is None


def test_tables_and_gaps(predictor: Predictor) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"review": ["a fine film", "two hours"], "more": ["x", "y"]})
    alone = predictor.predict(["a fine film", "two hours"])
    assert predictor.predict(frame[["review"]]) == predictor.predict(frame["review"]) == alone
    assert [row["pair"] for row in predictor.predict(frame)] == ["x", "y"]
    assert np.array_equal(predictor.embed(frame[["review"]]), predictor.embed(["a fine film", "two hours"]))
    for call in (predictor.predict, predictor.embed):
        for gap in (None, float("nan"), pandas.NA):
            with pytest.raises(InputError, match=r"texts has 1 rows .*: row 1 has no text; .* \(counted from 0\)"):
                call(["a", gap])
        with pytest.raises(InputError, match="texts is a dictionary"):
            call({"review": "a"})
    third = frame.assign(third="z")
    assert predictor.predict(third) == alone  # review is a usual name
    assert predictor.predict(third, text_column="more")[0]["text"] == "x"
    assert np.array_equal(predictor.embed(third), predictor.embed(["a fine film", "two hours"]))
    with pytest.raises(InputError, match="texts holds pairs"):
        predictor.embed(frame)


def test_load_takes_device_precision_and_threads() -> None:
    predictor = load(tiny_folder(), device="cpu", precision="fp32", threads=1)
    assert (predictor.execution.device, predictor.execution.precision) == ("cpu", "fp32")
    with pytest.raises(UsageError, match="precision and an execution are both given; leave one of them out"):
        load(tiny_folder(), precision="fp32", execution=execution())
    with pytest.raises(UsageError, match='unknown precision "fp8"'):
        load(tiny_folder(), precision="fp8")
