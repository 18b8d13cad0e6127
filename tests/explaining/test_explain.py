"""Explanations against transformers' own ALBERT: occluded by hand, and with captum's integrated gradients."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import execution, tiny_network

from albertkit.batching.batch import Sequence
from albertkit.data.examples import TextExample
from albertkit.data.words import split_words
from albertkit.errors import MissingExtraError, UsageError
from albertkit.explaining import explain
from albertkit.explaining.reading import read_example, text_words
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_outputs
from albertkit.models.loaded import Model
from albertkit.models.pretrained import save_model, with_task_head
from albertkit.text.tokenizer import Tokenizer

TEXT = "It's a re-made, undeniably odd film ..."
PAIR = "\u00bfQuite \u00bd odd? No."


def tiny_model(task: str = "classification", *, max_length: int = 64, **changes: Any) -> Predictor:
    model = with_task_head(Model(tiny_network(), Tokenizer.official()), task=task, labels=_labels(task), seed=5)
    assert model.task is not None
    for parameter in model.network.heads.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(3))
    model = replace(model, max_length=max_length, task=replace(model.task, **changes))
    return Predictor(model, execution=execution())


def _labels(task: str) -> tuple[str, ...]:
    return () if task == "regression" else ("one", "two", "three")


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("peer") / "model"
    save_model(tiny_model(temperature=2.0).model, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return transformers.AlbertForSequenceClassification.from_pretrained(folder).eval()


def masked_out(text: str, pair: str | None) -> list[tuple[np.ndarray, int, str]]:
    """Ids of the input with one word masked, by the offsets of its tokens; its start and field."""
    tokenizer = Tokenizer.official()
    whole = tokenizer.encode(text, pair)
    rows = []
    for segment, (field, each) in enumerate((("text", text), ("pair", pair))):
        for start, end in text_words(each or ""):
            ids = np.array(whole.input_ids)
            for number, (first, _) in enumerate(whole.offsets):
                inside = start <= first < end
                special = whole.pieces[number] in ("[CLS]", "[SEP]")
                if whole.token_type_ids[number] == segment and inside and not special:
                    ids[number] = tokenizer.mask_id
            rows.append((ids, start, field))
    return rows


@pytest.mark.parametrize("pair", [None, PAIR], ids=["text", "pair"])
def test_occlusion_is_that_of_transformers(peer: Any, pair: str | None) -> None:
    predictor = tiny_model(temperature=2.0)
    (found,) = explain(predictor, [TEXT if pair is None else (TEXT, pair)])
    whole = Tokenizer.official().encode(TEXT, pair)

    def probability(ids: np.ndarray) -> float:
        with torch.no_grad():
            logits = peer(
                input_ids=torch.from_numpy(ids)[None], token_type_ids=torch.tensor(whole.token_type_ids)[None]
            ).logits
        return float(torch.softmax(logits[0] / 2.0, dim=0)[_labels("").index(found.label or "")])

    base = probability(np.array(whole.input_ids))
    assert found.base == pytest.approx(base, abs=1e-5)
    wanted = {(start, field): base - probability(ids) for ids, start, field in masked_out(TEXT, pair)}
    assert {(word.start, word.field): word.score for word in found.words} == pytest.approx(wanted, abs=1e-5)
    for word in found.words:
        assert (TEXT if word.field == "text" else pair or "")[word.start : word.end] == word.text
    assert max(map(abs, wanted.values())) > 1e-3


def test_occlusion_is_captum_s_feature_ablation() -> None:
    attr = pytest.importorskip("captum.attr")
    predictor = tiny_model("multilabel", max_length=9, window_stride=3)
    (found,) = explain(predictor, [TEXT], label="two")
    reading = read_example(predictor, TextExample(TEXT))
    assert len(reading.sequences) > 1

    def forward(presence: torch.Tensor) -> torch.Tensor:
        rows = []
        for present in presence.numpy() > 0.5:
            copies = [
                Sequence(
                    np.where(present[owners] | (owners < 0), one.input_ids, predictor.model.tokenizer.mask_id),
                    one.token_type_ids,
                )
                for one, owners in zip(reading.sequences, reading.owners, strict=True)
            ]
            logits = np.mean(run_outputs(predictor.runtime, copies), axis=0)
            rows.append(1 / (1 + np.exp(-logits[1])))
        return torch.tensor(rows)

    wanted = attr.FeatureAblation(forward).attribute(torch.ones(1, len(reading.words)), baselines=0)[0]
    assert [word.score for word in found.words] == pytest.approx(wanted.tolist(), abs=1e-6)


def test_gradients_are_captum_s_on_transformers(peer: Any) -> None:
    attr = pytest.importorskip("captum.attr")
    predictor = tiny_model(temperature=2.0)
    (found,) = explain(predictor, TEXT, method="gradients", label="two")
    whole = Tokenizer.official().encode(TEXT)
    ids = torch.tensor([whole.input_ids])
    masked = ids.clone()
    masked[0, 1:-1] = Tokenizer.official().mask_id
    layer = attr.LayerIntegratedGradients(
        lambda each: torch.softmax(peer(input_ids=each).logits / 2.0, dim=1)[:, 1],
        peer.albert.embeddings.word_embeddings,
    )
    by_token = layer.attribute(ids, baselines=masked, n_steps=32)[0].sum(dim=1)
    for word in found.words:
        tokens = list(enumerate(whole.offsets))[1:-1]  # a token of only a space has an empty span
        inside = [number for number, (start, end) in tokens if word.start <= start < word.end and end <= word.end]
        assert word.score == pytest.approx(float(by_token[inside].sum()), abs=1e-5), word
    with torch.no_grad():
        ends = [torch.softmax(peer(input_ids=each).logits / 2.0, dim=1)[0, 1] for each in (masked, ids)]
    assert sum(word.score for word in found.words) == pytest.approx(float(ends[1] - ends[0]), abs=1e-3)


@pytest.mark.parametrize("method", ["occlusion", "gradients"])
@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_the_base_is_what_predict_says(task: str, method: str) -> None:
    predictor = tiny_model(task)
    (found,) = explain(predictor, [TEXT], method=method)
    (row,) = predictor.predict([TEXT])
    if task == "regression":
        assert (found.label, found.base) == (None, pytest.approx(row["value"], abs=1e-6))
    else:
        assert found.base == pytest.approx(max(row["probabilities"].values()), abs=1e-6)
        assert row["probabilities"][found.label] == pytest.approx(found.base, abs=1e-6)
    assert found.largest > 0
    assert set(found.to_dict()) == {"label", "method", "base", "words", "unread"}


def test_words_beyond_the_longest_input_are_counted() -> None:
    predictor = tiny_model(max_length=9)
    (found,) = explain(predictor, [("one two three four five six seven", "eight")])
    assert [word.text for word in found.words] == ["one", "two", "three", "four", "five", "eight"]
    assert found.unread == 2


@pytest.mark.parametrize("method", ["occlusion", "gradients"])
def test_a_word_in_several_windows_is_masked_in_each(method: str) -> None:
    text = "one two three four five six seven"
    cut, windowed = tiny_model(max_length=7), tiny_model(max_length=7, window_stride=2)
    encoded = windowed.encode([windowed.model.task.example_of(text)])  # type: ignore[union-attr]
    assert encoded.counts.tolist() == [2]
    reading = read_example(windowed, windowed.model.task.example_of(text))  # type: ignore[union-attr]
    assert [row.tolist() for row in reading.owners] == [[-1, 0, 1, 2, 3, 4, -1], [-1, 2, 3, 4, 5, 6, -1]]
    (found,) = explain(windowed, [text], method=method, label="one")
    assert (len(found.words), found.unread) == (7, 0)
    assert found.base == pytest.approx(windowed.predict([text])[0]["probabilities"]["one"])
    assert explain(cut, [text])[0].unread == 2


@pytest.mark.parametrize("method", ["occlusion", "gradients"])
def test_words_of_sentences_that_are_read_for_themselves(method: str) -> None:
    first = "The plot is thin, but the actors are a joy to watch tonight."
    second = "Nobody in this quiet house was ever to know what had happened."
    text = f"{first}<br />{second}"
    predictor = tiny_model(by_sentence=True)
    (found,) = explain(predictor, [text], method=method, label="one")
    assert [text[word.start : word.end] for word in found.words] == [word.text for word in found.words]
    assert [word.text for word in found.words][-3:] == ["had", "happened", "."]
    assert (len(found.words), found.unread) == tuple(len(split_words(each)) for each in (f"{first} {second}", "<br />"))
    assert found.base == pytest.approx(predictor.predict([text])[0]["probabilities"]["one"])


def test_texts_without_words() -> None:
    for method in ("occlusion", "gradients"):
        for found in explain(tiny_model(), ["", "  "], method=method):
            assert (found.words, found.unread, found.largest) == ([], 0, 0.0)


@pytest.mark.parametrize(
    "text, words",
    [
        ("Don't stop!", ["Don't", "stop", "!"]),
        ("'tis the dogs' bone", ["'", "tis", "the", "dogs", "'", "bone"]),
        ("rock'n'roll, l\u2019\u00e9t\u00e9", ["rock'n'roll", ",", "l\u2019\u00e9t\u00e9"]),
        ("", []),
    ],
)
def test_what_a_word_is(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in text_words(text)] == words


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match='unknown method "gradient"; did you mean "gradients"'):
        explain(tiny_model(), ["a"], method="gradient")
    with pytest.raises(UsageError, match='has no label "tow"; did you mean "two"'):
        explain(tiny_model(), ["a"], label="tow")
    with pytest.raises(UsageError, match="a regression has none"):
        explain(tiny_model("regression"), ["a"], label="two")
    with pytest.raises(UsageError, match="has no task head; fine-tune it first"):
        explain(Predictor(Model(tiny_network(), Tokenizer.official()), execution=execution()), ["a"])
    answers = with_task_head(Model(tiny_network(), Tokenizer.official()), task="question_answering", labels=())
    with pytest.raises(
        UsageError, match=r"explanations are for labels and values of whole texts, but .* question_answer"
    ):
        explain(Predictor(answers, execution=execution()), ["a"])
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingExtraError, match=r"needs captum, .*: pip install 'albertkit\[explain\]'"):
        explain(tiny_model(), ["a"], method="gradients")
    assert explain(tiny_model(), ["a"])
