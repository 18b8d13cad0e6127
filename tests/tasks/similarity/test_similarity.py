"""Similarity: losses against the formulas written out, what tells the two kinds of learning apart, predictions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from albertkit.config import AlbertConfig
from albertkit.data.examples import TextExample
from albertkit.errors import DataError, UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.objective import objective_of
from albertkit.tasks.similarity import SIMILARITY
from albertkit.tasks.similarity.head import BLOCK, SimilarityHead, cosent_losses, in_batch_losses
from albertkit.tasks.similarity.metrics import partner_ranks
from albertkit.text.tokenizer import Tokenizer

OBJECTIVE = objective_of(SIMILARITY)
GRADED = [TextExample("a dog", "a cat", 3.5), TextExample("two", "two", 5.0), TextExample("it", "an old film", 1.0)]
POSITIVE = [TextExample(example.text, example.pair, 1.0) for example in GRADED]


def unit_rows(count: int, *, seed: int = 0, width: int = 7) -> np.ndarray:
    rows = np.random.RandomState(seed).randn(count, width).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_cosent_is_its_formula() -> None:
    random = np.random.RandomState(1)
    cosines, numbers = random.uniform(-1, 1, 11), random.randint(0, 4, 11).astype(float)  # ties count for nothing
    terms = [0.0]
    for i in range(11):
        terms += [20 * (cosines[j] - cosines[i]) for j in range(11) if numbers[i] > numbers[j]]
    found = cosent_losses(torch.tensor(cosines), torch.tensor(numbers))
    np.testing.assert_allclose(found.numpy(), np.full(11, logsumexp(terms)), rtol=1e-6)
    for other in (numbers * 10 - 3, numbers / 7):  # any range
        torch.testing.assert_close(cosent_losses(torch.tensor(cosines), torch.tensor(other)), found)


def test_a_step_of_one_pair_has_nothing_to_learn() -> None:
    cosines = torch.tensor([0.3], requires_grad=True)
    losses = cosent_losses(cosines, torch.tensor([2.0]))
    losses.mean().backward()
    assert losses.tolist() == [0]
    assert cosines.grad is not None
    assert cosines.grad.tolist() == [0]


def test_in_batch_negatives_are_a_cross_entropy_over_the_matrix_of_cosines() -> None:
    texts, partners = torch.tensor(unit_rows(5)), torch.tensor(unit_rows(5, seed=1))
    ids = torch.arange(10).view(5, 2)
    expected = torch.nn.functional.cross_entropy(20 * texts @ partners.T, torch.arange(5), reduction="none")
    torch.testing.assert_close(in_batch_losses(torch.stack([texts, partners], 1), ids=ids), expected)


def test_the_same_text_twice_is_no_wrong_answer() -> None:
    texts, partners = unit_rows(4).astype(np.float64), unit_rows(4, seed=1).astype(np.float64)
    ids = torch.tensor([[0, 1], [2, 1], [0, 3], [4, 5]])  # 0 and 1 share the partner, 0 and 2 the text
    wrong = {0: [3], 1: [2, 3], 2: [1, 3], 3: [0, 1, 2]}
    logits = 20 * texts @ partners.T
    expected = [
        logsumexp([logits[i, i], *(logits[i, j] for j in others)]) - logits[i, i] for i, others in wrong.items()
    ]
    found = in_batch_losses(torch.tensor(np.stack([texts, partners], 1)), ids=ids)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_a_split_is_weighed_block_by_block() -> None:
    count = BLOCK + 3
    rows = torch.tensor(unit_rows(2 * count))
    numbers = torch.rand(count, generator=torch.Generator().manual_seed(0))
    found = OBJECTIVE.losses_of(rows, lengths=np.ones(2 * count), counts=np.full(count, 2), targets=numbers)
    cosines = (rows[0::2] * rows[1::2]).sum(1)
    torch.testing.assert_close(found[:BLOCK], cosent_losses(cosines[:BLOCK], numbers[:BLOCK]))
    torch.testing.assert_close(found[BLOCK:], cosent_losses(cosines[BLOCK:], numbers[BLOCK:]))


def test_ranks_by_counting() -> None:
    texts, partners = unit_rows(600), unit_rows(600, seed=1)  # more than a block
    cosines = texts @ partners.T
    by_hand = [1 + sum(cosines[i] > cosines[i, i] + 1e-6) for i in range(600)]
    assert partner_ranks(texts, partners).tolist() == by_hand


def test_two_sequences_a_pair() -> None:
    tokenizer = Tokenizer.official()
    encoded = SIMILARITY.encode(tokenizer, GRADED, max_length=5)
    assert encoded.counts.tolist() == [2, 2, 2]
    alone = tokenizer.sequences(["it", "an old film"], max_length=5)
    for found, expected in zip(encoded.sequences[4:], alone, strict=True):
        assert found.input_ids.tolist() == expected.input_ids.tolist()


def test_the_numbers_tell_what_is_learned() -> None:
    encoded = SIMILARITY.encode(Tokenizer.official(), GRADED, max_length=9)
    graded = SIMILARITY.unit_targets(encoded, GRADED, num_labels=0)
    assert (graded.dtype, graded.tolist()) == (np.float32, [3.5, 5.0, 1.0])
    positive = SIMILARITY.unit_targets(encoded, POSITIVE, num_labels=0)
    assert (positive.dtype, positive.tolist()) == (np.int64, [[0, 1], [2, 2], [3, 4]])


def test_predictions() -> None:
    encoded = SIMILARITY.encode(Tokenizer.official(), GRADED, max_length=9)
    outputs = list(unit_rows(6))
    cosines = [float(outputs[k] @ outputs[k + 1]) for k in (0, 2, 4)]
    unlabelled = [SIMILARITY.example_of(example.text, example.pair) for example in GRADED]
    for examples in (GRADED, unlabelled):
        found = SIMILARITY.predictions(outputs, encoded, examples)
        assert all(list(row) == ["similarity"] for row in found)
        assert [row["similarity"] for row in found] == pytest.approx(cosines)
    positives = SIMILARITY.predictions(outputs, encoded, POSITIVE)
    assert [row["other"] for row in positives] == pytest.approx(
        [float(outputs[k] @ outputs[(k + 3) % 6]) for k in (0, 2, 4)]
    )
    assert {row["rank"] for row in positives} <= {1, 2, 3}
    assert SIMILARITY.predictions([], encoded, []) == []


def test_the_head_gives_length_one_and_keeps_its_scale() -> None:
    head = OBJECTIVE.build(AlbertConfig(), 1)
    assert isinstance(head, SimilarityHead)
    assert [name for name, _ in head.named_parameters()] == []
    assert head.state_dict()["scale"].tolist() == [20]
    torch.testing.assert_close(head(torch.randn(3, 7)).norm(dim=1), torch.ones(3))


def test_refusals() -> None:
    assert TASKS["similarity"] is SIMILARITY
    tokenizer = Tokenizer.official()
    encoded = SIMILARITY.encode(tokenizer, GRADED[:2], max_length=9)
    with pytest.raises(UsageError, match="give a second text"):
        SIMILARITY.example_of("alone")
    with pytest.raises(DataError, match=r"example 1 has one text.*--pair-column"):
        SIMILARITY.encode(tokenizer, [GRADED[0], TextExample("alone")], max_length=9)
    with pytest.raises(DataError, match="example 0 has no number"):
        SIMILARITY.unit_targets(encoded, [TextExample("a", "b"), GRADED[0]], num_labels=0)
    with pytest.raises(DataError, match=r"all 2 pairs have the number 0\.0, so there is nothing to learn"):
        SIMILARITY.unit_targets(encoded, [TextExample("a", "b", 0.0)] * 2, num_labels=0)
    with pytest.raises(UsageError, match="leave --head-hidden and --head-norm out"):
        OBJECTIVE.build(AlbertConfig(), 1, HeadSpec((4,)))


TRIPLETS = [
    TextExample("a dog", "a hound", 1.0, negatives=("a cat",)),
    TextExample("two films", "two movies", 1.0, negatives=("a hound",)),
    TextExample("a dog", "the dog", 1.0, negatives=("one film",)),
]


@pytest.mark.parametrize("negatives", [1, 2])
def test_triplets_have_the_loss_of_sentence_transformers(negatives: int) -> None:
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    rows = torch.tensor(unit_rows(5 * (2 + negatives))).view(5, 2 + negatives, -1)
    expected = losses.MultipleNegativesRankingLoss(torch.nn.Identity(), scale=20.0).compute_loss_from_embeddings(
        list(rows.unbind(1)), torch.zeros(5)
    )
    ids = torch.arange(5 * (2 + negatives)).view(5, -1)
    torch.testing.assert_close(in_batch_losses(rows, ids=ids).mean(), expected)


def test_a_partner_among_the_negatives_of_others_is_no_wrong_answer() -> None:
    encoded = SIMILARITY.encode(Tokenizer.official(), TRIPLETS, max_length=9)
    assert encoded.counts.tolist() == [3, 3, 3]
    ids = SIMILARITY.unit_targets(encoded, TRIPLETS, num_labels=0)
    assert ids.tolist() == [[0, 1, 2], [3, 4, 1], [0, 5, 6]]
    vectors = unit_rows(9).reshape(3, 3, -1).astype(np.float64)
    candidates = np.concatenate([vectors[:, 1], vectors[:, 2]])
    logits = 20 * vectors[:, 0] @ candidates.T
    # 0: not the partner of 2 (the same text), and not the negative of 1, which is its own partner's text.
    right = {0: [0, 1, 3, 5], 1: [0, 1, 2, 3, 4, 5], 2: [1, 2, 3, 4, 5]}
    expected = [logsumexp(logits[row, columns]) - logits[row, row] for row, columns in right.items()]
    found = in_batch_losses(torch.tensor(vectors), ids=torch.tensor(ids))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_predictions_of_triplets() -> None:
    encoded = SIMILARITY.encode(Tokenizer.official(), TRIPLETS, max_length=9)
    outputs = unit_rows(9)
    found = SIMILARITY.predictions(list(outputs), encoded, TRIPLETS)
    vectors = outputs.reshape(3, 3, -1)
    cosines = np.einsum("ud,utd->ut", vectors[:, 0], vectors[:, 1:])
    assert [row["similarity"] for row in found] == pytest.approx(cosines[:, 0].tolist(), abs=1e-6)
    assert [row["other"] for row in found] == pytest.approx(cosines[:, 1].tolist(), abs=1e-6)
    every = vectors[:, 0] @ np.concatenate([vectors[:, 1], vectors[:, 2]]).T
    assert [row["rank"] for row in found] == [1 + int((every[k] > every[k, k] + 1e-6).sum()) for k in range(3)]
    scored = SIMILARITY.score(found, TRIPLETS)
    assert scored.metrics["triplet/accuracy"] == pytest.approx(100 * (cosines[:, 0] > cosines[:, 1]).mean())
    assert "rows are triplets" in scored.notes[0]
    loss = OBJECTIVE.losses_of(
        torch.tensor(outputs), lengths=encoded.lengths, counts=encoded.counts,
        targets=torch.tensor(SIMILARITY.unit_targets(encoded, TRIPLETS, num_labels=0)),
    )  # fmt: skip
    assert loss.shape == (3,)


def test_triplets_with_numbers_are_refused() -> None:
    rows = [TRIPLETS[0], TextExample("a", "b", 2.0, negatives=("c",))]
    encoded = SIMILARITY.encode(Tokenizer.official(), rows, max_length=9)
    with pytest.raises(DataError, match="triplets have different numbers"):
        SIMILARITY.unit_targets(encoded, rows, num_labels=0)
