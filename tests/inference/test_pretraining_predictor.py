"""Masks and the order of texts, against transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny import execution, tiny_folder
from tests.tiny_pretrained import pretrained_folder

from albertkit.errors import UsageError
from albertkit.inference.predictor import Predictor
from albertkit.inference.pretraining_predictor import CutTextWarning, fill_masks, sentence_order
from albertkit.models.pretrained import load_model

TEXT = "The capital [MASK] France is [MASK]."


@pytest.fixture(scope="module")
def model() -> Predictor:
    return Predictor(load_model(pretrained_folder()), execution=execution())


@pytest.fixture(scope="module")
def peer() -> tuple[Any, Any]:
    transformers = pytest.importorskip("transformers")
    network = transformers.AlbertForPreTraining.from_pretrained(pretrained_folder()).eval()
    return network, transformers.AutoTokenizer.from_pretrained(pretrained_folder())


@pytest.mark.parametrize(
    ("text", "pair"),
    [(TEXT, None), ("one [MASK]", "and [MASK][MASK] more"), ("no mask", "[MASK]")],
    ids=["text", "pair", "second text"],
)
def test_the_same_pieces_as_transformers(text: str, pair: str | None, model: Predictor, peer: tuple[Any, Any]) -> None:
    network, tokenizer = peer
    given = tokenizer(text, pair, return_tensors="pt")
    space = tokenizer.convert_tokens_to_ids("\u2581")
    row = given["input_ids"][0]
    # The tokenizer starts again after [MASK]; the space before a stop there is not shown to the network.
    kept = ~((row == space) & (row.roll(1) == tokenizer.mask_token_id))
    with torch.no_grad():
        shown = network(**{name: tensor[:, kept] for name, tensor in given.items()})
    probabilities = torch.zeros(len(row), tokenizer.vocab_size)
    probabilities[kept] = shown.prediction_logits[0].softmax(dim=-1)
    fills = fill_masks(model, text, pair=pair, top=7)
    positions = (given["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
    assert [fill.position for fill in fills] == positions.tolist()
    for fill in fills:
        best = probabilities[fill.position].topk(7)
        assert [candidate.piece for candidate in fill.candidates] == tokenizer.convert_ids_to_tokens(best.indices)
        found = [candidate.probability for candidate in fill.candidates]
        np.testing.assert_allclose(found, best.values.numpy(), atol=1e-5, rtol=1e-3)


def test_the_same_order_as_transformers(model: Predictor, peer: tuple[Any, Any]) -> None:
    network, tokenizer = peer
    seen = set()
    for first, second in [("She left.", "Nobody saw it."), ("Nobody saw it.", "She left."), ("", "a [MASK]")]:
        given = tokenizer(first, second.replace("[MASK]", "x"), return_tensors="pt")
        with torch.no_grad():
            wanted = network(**given).sop_logits.softmax(dim=-1)[0, 0].item()
        found = sentence_order(model, first, second.replace("[MASK]", "x"))
        assert found == pytest.approx(wanted, abs=1e-5)
        seen.add(round(found, 3))
    assert len(seen) == 3


def test_a_mask_in_two_texts_whose_order_is_asked_for_is_plain_text(model: Predictor) -> None:
    plain = sentence_order(model, "a", "b [MASK]")
    assert plain != sentence_order(model, "a", "b x")
    first = model.model.tokenizer.encode("a", "b [MASK]")
    assert model.model.tokenizer.mask_id not in first.input_ids


def test_the_whole_vocabulary_sums_to_one(model: Predictor) -> None:
    [fill] = fill_masks(model, "[MASK]", top=10**6)
    assert len(fill.candidates) == 30_000
    probabilities = [candidate.probability for candidate in fill.candidates]
    assert sum(probabilities) == pytest.approx(1)
    assert probabilities == sorted(probabilities, reverse=True)
    assert fill.position == 1


def test_a_long_text_is_cut_aloud(model: Predictor) -> None:
    words = "word " * 100
    with pytest.warns(CutTextWarning) as seen:
        [fill] = fill_masks(model, f"[MASK] {words} [MASK]")
    assert fill.position == 1
    sentences = [str(one.message) for one in seen]
    assert sentences == [
        f"the text is 40 tokens longer than the 64 that {pretrained_folder()} takes; its end was truncated",
        "1 of 2 [MASK] come after the 64 tokens that the model takes",
    ]
    with (
        pytest.warns(CutTextWarning),
        pytest.raises(UsageError, match=r"every \[MASK\] comes after the 64 tokens.*give a shorter text"),
    ):
        fill_masks(model, f"{words} [MASK]")
    with pytest.warns(CutTextWarning, match="its end was truncated"):
        sentence_order(model, words, words)


def test_what_cannot_be(model: Predictor) -> None:
    with pytest.raises(
        UsageError, match=r'holds no \[MASK\]: write one where the model should fill in a piece, e\.g\. "a'
    ):
        fill_masks(model, "no mask")
    with pytest.raises(UsageError, match="--top is 0; it must be 1 or more"):
        fill_masks(model, TEXT, top=0)
    bare = Predictor(load_model(tiny_folder()), execution=execution())
    with pytest.raises(UsageError, match=r"holds no masked-piece head \(heads: none\).*AlbertForPreTraining"):
        fill_masks(bare, TEXT)
    with pytest.raises(UsageError, match="holds no sentence-order head"):
        sentence_order(bare, "a", "b")
