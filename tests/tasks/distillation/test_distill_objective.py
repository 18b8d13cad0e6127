"""The losses of a distillation against the same by hand, and pretraining's in the same pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tiny import tiny_network
from tests.tiny_pretrained import pretrained_folder

from albertkit.batching.batch import Batch
from albertkit.data.pretraining.batches import UNORDERED, PretrainingBatch
from albertkit.models.pretrained import load_model
from albertkit.tasks.distillation.objective import DistillObjective, relation_error, total_loss
from albertkit.tasks.pretraining.objective import PretrainingObjective

NONE = np.zeros(0, np.int64)
LENGTHS = np.array([3, 5, 2])
IDS = np.array([2, 40, 3, 2, 50, 4, 52, 3, 2, 3])


def batch(swapped: list[int], *, masked: bool = False) -> PretrainingBatch:
    positions = np.concatenate([np.arange(length) for length in LENGTHS])
    packed = Batch(IDS, np.zeros(10, np.int64), positions, LENGTHS)
    at, pieces = (np.array([5]), np.array([51])) if masked else (NONE, NONE)
    return PretrainingBatch(packed, at, pieces, np.array(swapped))


@torch.no_grad()
def test_cosines_relations_and_their_sum() -> None:
    objective = DistillObjective(tiny_network(), dimensions=5, with_pretraining=False).eval()
    teacher = torch.nn.functional.normalize(torch.randn(3, 5, generator=torch.Generator().manual_seed(1)), dim=1)
    made = batch([UNORDERED] * 3)
    losses = objective(made, teacher)
    encoded = objective.network(made.batch)
    parts = torch.split(encoded.sequence_output, LENGTHS.tolist())
    own = {"mean": torch.stack([part.mean(0) for part in parts]), "pooler": encoded.pooled_output}
    expected = 0.0
    for name, vectors in own.items():
        mapped = objective.maps[name](vectors)
        cosine = sum(float(torch.cosine_similarity(mapped[i], teacher[i], dim=0)) for i in range(3)) / 3
        between = [
            float(torch.cosine_similarity(vectors[i], vectors[j], dim=0) - teacher[i] @ teacher[j]) ** 2
            for i in range(3) for j in range(3) if i != j
        ]  # fmt: skip
        assert float(losses.vectors[name].cosine) == pytest.approx(cosine, abs=1e-5)
        assert float(losses.vectors[name].relation) == pytest.approx(sum(between) / 6, abs=1e-5)
        of_maps = torch.nn.functional.normalize(mapped, dim=1) @ torch.nn.functional.normalize(mapped, dim=1).T
        apart = (of_maps - teacher @ teacher.T)[~torch.eye(3, dtype=torch.bool)]
        assert float(losses.vectors[name].mapped_relation) == pytest.approx(float(apart.square().mean()), abs=1e-5)
        expected += (1 - cosine + 5 * sum(between) / 6) * (0.3 if name == "pooler" else 1)
    assert losses.pretraining is None
    total = total_loss(losses, relation_weight=5.0, pooler_weight=0.3, pretraining_weight=1.0)
    assert float(total) == pytest.approx(expected, abs=1e-5)


def test_one_text_has_no_relation() -> None:
    assert float(relation_error(torch.ones(1, 3), torch.ones(1, 2))) == 0.0


def test_pretraining_shares_the_pass() -> None:
    network = load_model(pretrained_folder()).network
    made = batch([0, 1, UNORDERED], masked=True)
    teacher = torch.eye(3, 5)
    objective = DistillObjective(network, dimensions=5, with_pretraining=True)
    losses = objective(made, teacher)
    apart = PretrainingObjective(network)(made)
    assert losses.pretraining is not None
    assert (losses.pretraining.masked, losses.pretraining.sequences) == (1, 2)
    for shared, own in zip(losses.pretraining, apart, strict=True):
        assert float(torch.as_tensor(shared).detach()) == pytest.approx(float(torch.as_tensor(own).detach()), rel=1e-5)
    both, vectors = (
        total_loss(losses, relation_weight=2.0, pooler_weight=1.0, pretraining_weight=weight) for weight in (0.5, 0.0)
    )
    torch.testing.assert_close(both - vectors, 0.5 * (apart.mlm + apart.sop / 2))


def test_texts_of_one_segment_count_for_no_order() -> None:
    objective = PretrainingObjective(load_model(pretrained_folder()).network)
    some, none = objective(batch([1, UNORDERED, UNORDERED])), objective(batch([UNORDERED] * 3))
    assert (some.sequences, none.sequences) == (1, 0)
    assert [float(value.detach()) for value in none[:4]] == [0] * 4
    assert float(some.sop.detach()) > 0
