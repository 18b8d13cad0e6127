"""Where a student begins, and the batches that it learns from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.tiny import CONFIG, tiny_network

from albertkit.data.pretraining.batches import UNORDERED
from albertkit.datasets.text_rows import Row
from albertkit.errors import UsageError
from albertkit.models.pretrained import fresh_model
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.distillation.batches import DistillBatches
from albertkit.training.distillation.inputs import with_masks
from albertkit.training.distillation.student import (
    begin_with_pieces,
    check_dimensions,
    piece_texts,
    principal_components,
)
from albertkit.training.distillation.texts import Texts, prepare_texts

TOKENIZER = Tokenizer.official()


def texts(*lines: str) -> Texts:
    rows = [Row(line, "here") for line in lines]
    return prepare_texts(rows, TOKENIZER, max_length=32, by_sentence=False, whole=False, seed=0)


def test_components_are_numpys_own() -> None:
    vectors = np.random.default_rng(0).standard_normal((30, 7)) * np.arange(1, 8)
    found = principal_components(vectors, size=3)
    centred = vectors - vectors.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(found), np.abs(centred @ directions[:3].T), atol=1e-9)
    np.testing.assert_allclose((found**2).sum(axis=0), values[:3] ** 2)


def test_word_embeddings_are_the_teachers_and_frequent_pieces_short() -> None:
    network = tiny_network()
    before = network.encoder.embeddings.word.weight.detach().clone()
    ids, pieces = piece_texts(TOKENIZER)
    given = np.random.default_rng(0).standard_normal((len(pieces), 8)).astype(np.float16)
    asked: list[list[str]] = []

    def vectors(texts: list[str]) -> np.ndarray:
        asked.append(texts)
        return given

    begin_with_pieces(network, TOKENIZER, texts("this this this film", "this"), vectors=vectors)
    table = network.encoder.embeddings.word.weight.detach().numpy()
    assert asked == [pieces]
    centred = given.astype(np.float64) - given.astype(np.float64).mean(axis=0)
    rows = table[ids[:400]]
    cosines = (rows @ rows.T) / np.outer(np.linalg.norm(rows, axis=1), np.linalg.norm(rows, axis=1))
    expected = centred[:400] / np.linalg.norm(centred[:400], axis=1, keepdims=True)
    np.testing.assert_allclose(cosines, expected @ expected.T, atol=1e-4)  # 8 of 8 dimensions: a rotation
    share = np.linalg.norm(table[48]) / np.linalg.norm(centred[list(ids).index(48)])
    other = np.linalg.norm(table[ids[7]]) / np.linalg.norm(centred[7])
    assert share / other == pytest.approx(1e-3 / (1e-3 + 0.8))  # "this" is 4 of 5 tokens
    np.testing.assert_array_equal(table[:5], before[:5])


def test_a_teacher_needs_as_many_dimensions_as_the_embeddings() -> None:
    check_dimensions("t", 8, CONFIG)
    with pytest.raises(UsageError, match=r"t has vectors of 7 dimensions, fewer than the 8 .* pass --start keep"):
        check_dimensions("t", 7, CONFIG)


def batches(**changes: object) -> DistillBatches:
    own = texts(*(f"film number {number} was good. It was long." for number in range(10)))
    vectors = np.arange(len(own), dtype=np.float16)[:, None] * np.ones(2, np.float16)
    made = DistillBatches(own, vectors, TOKENIZER.cls_id, TOKENIZER.sep_id, batch_size=4, seed=5)
    return replace(made, **changes)


def test_every_text_comes_once_per_epoch_with_its_vector() -> None:
    made = batches()
    assert made.per_epoch == 3
    for epoch in range(2):
        seen = []
        for step in range(3 * epoch, 3 * epoch + 3):
            batch, teacher = made.at(step)
            for sequence, vector in zip(batch.batch, teacher, strict=True):
                number = int(vector[0])
                assert sequence.input_ids[1:-1].tolist() == made.texts.tokens[number].tolist()
                seen.append(number)
        assert sorted(seen) == list(range(10))
    for one, other in zip(batches().at(4), made.at(4), strict=True):  # whatever came before
        assert torch.is_tensor(one) == torch.is_tensor(other)
    np.testing.assert_array_equal(batches().at(4)[0].batch.input_ids, made.at(4)[0].batch.input_ids)


def test_masks_and_halves() -> None:
    made = with_masks(batches(), TOKENIZER, mlm_probability=0.3)
    swapped = np.concatenate([made.at(step)[0].swapped for step in range(60)])
    assert set(swapped) == {0, 1, UNORDERED}
    assert np.mean(swapped == UNORDERED) == pytest.approx(0.5, abs=0.12)
    batch = made.at(0)[0]
    assert len(batch.masked_ids)
    for sequence, order in zip(batch.batch, batch.swapped, strict=True):
        segments = 1 if order == UNORDERED else 2
        assert (sequence.input_ids == TOKENIZER.sep_id).sum() == segments
        assert sequence.token_type_ids.max() == segments - 1
    first, again = ([entry[0].batch.input_ids for entry in made.in_order()] for _ in range(2))
    assert all((one == other).all() for one, other in zip(first, again, strict=True))


def test_logits_of_masked_words_stay_small_beside_long_word_vectors() -> None:
    network = fresh_model(CONFIG, seed=1, heads=("mlm", "sop")).network
    _, pieces = piece_texts(TOKENIZER)
    given = np.random.default_rng(0).standard_normal((len(pieces), 8)).astype(np.float16)
    begin_with_pieces(network, TOKENIZER, texts("a film"), vectors=lambda _: given)
    with torch.no_grad():
        logits = network.masked_piece_logits(
            torch.randn(5, CONFIG.hidden_size, generator=torch.Generator().manual_seed(2))
        )
    assert float(logits.std()) < 2  # a vector of length sqrt(8) / 10 times words of length 10
