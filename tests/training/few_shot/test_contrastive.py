"""Contrastive pairs: what is drawn, and what the training does to the vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.tiny import SEED, execution, keyword_folder, keyword_rows

from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import load_model
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.similarity.head import SimilarityHead
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.few_shot.contrastive import (
    LEAST_STEPS,
    STEPS,
    TEXTS,
    ContrastObjective,
    contrast_steps,
    drawn_units,
    planned_steps,
)


@pytest.mark.parametrize("labels", [2, 4, 7, 30])
def test_a_step_has_two_texts_or_more_of_each_label_it_draws(labels: int) -> None:
    targets = np.repeat(np.arange(labels), 9)
    seen = set()
    for step in range(30):
        units = drawn_units(targets, seed=3, step=step)
        assert len(np.unique(units)) == len(units) <= TEXTS
        counts = np.bincount(targets[units])
        assert (counts > 0).sum() == min(labels, TEXTS // 2)
        assert len({count for count in counts.tolist() if count}) == 1
        assert counts.max() >= 2
        seen.update(units.tolist())
    assert len(seen) > 0.7 * len(targets)
    np.testing.assert_array_equal(drawn_units(targets, seed=3, step=4), drawn_units(targets, seed=3, step=4))


def test_a_label_with_few_rows_gives_those_it_has() -> None:
    assert drawn_units(np.array([0] * 20 + [1]), seed=0, step=0).tolist()[-1] == 20


def test_the_loss_is_cosents_over_all_pairs() -> None:
    objective = ContrastObjective()
    states = F.normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    targets = torch.tensor([0, 1, 0, 1, 1])

    _, losses = objective.losses(
        SimilarityHead(), states, lengths=np.ones(5, np.int64), counts=np.ones(5, np.int64), targets=targets
    )
    cosines = {(i, j): float(states[i] @ states[j]) for i in range(5) for j in range(i)}
    total = 1.0
    for (i, j), same in cosines.items():
        for (k, m), other in cosines.items():
            if targets[i] == targets[j] and targets[k] != targets[m]:
                total += np.exp(20 * (other - same))
    np.testing.assert_allclose(losses.numpy(), np.full(5, np.log(total)), rtol=1e-4)


def test_long_texts_take_fewer_steps() -> None:
    tokenizer = Tokenizer.official()
    lengths = {
        words: planned_steps(Encoded.one_each(tokenizer.sequences(["film " * words] * 3, max_length=512)))
        for words in (2, 50, 500)
    }
    assert lengths[2] == STEPS
    assert LEAST_STEPS < lengths[50] < STEPS
    assert lengths[500] == LEAST_STEPS


@pytest.mark.learning
def test_texts_of_one_label_come_nearer_and_word_embeddings_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("albertkit.training.few_shot.contrastive.NANO_RATE", 1e-2)  # sixteen wide, not 256
    rows = keyword_rows(24)
    targets = np.array([label == "good" for _, label in rows], np.int64)
    model = load_model(keyword_folder())
    encoded = Encoded.one_each(model.tokenizer.sequences([text for text, _ in rows], max_length=32))
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}

    def gap() -> float:
        vectors = Predictor(model, execution=execution()).embed([text for text, _ in rows])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines, same = vectors @ vectors.T, targets[:, None] == targets[None, :]
        return float(cosines[same].mean() - cosines[~same].mean())

    first = gap()
    steps = list(
        contrast_steps(
            model.network,
            encoded,
            targets,
            units=np.arange(24),
            pooling="mean",
            execution=execution(),
            steps=40,
            batch_tokens=64,  # several passes a step
            seed=1 + SEED,
        )
    )
    assert [step.number for step in steps] == list(range(1, 41))
    assert gap() > first + 0.3
    after = model.network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "encoder.groups.0.layers.0.ffn.up.weight" in changed
    assert "encoder.embeddings.word.weight" not in changed
    assert all(parameter.requires_grad for parameter in model.network.encoder.parameters())
    assert not model.network.training
