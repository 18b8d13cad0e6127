"""A loss that weighs the examples of a step against each other has, in several passes, the gradient of one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tiny import execution, tiny_network

from albertkit.batching.batch import Sequence
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.similarity.head import SIMILARITY, SimilarityHead
from albertkit.training.loop import HeadTraining, Step, StepPlan, TextInputs, train_steps

COUNT = 7


def one_step(passes: list[np.ndarray], targets: np.ndarray) -> tuple[Step, dict[str, torch.Tensor]]:
    random = np.random.RandomState(2)
    sequences = [Sequence(random.randint(5, 30000, n), np.zeros(n, np.int64)) for n in random.randint(3, 19, 2 * COUNT)]
    network = tiny_network()
    network.heads["similarity"] = SimilarityHead()
    network.train()
    gradients: dict[str, torch.Tensor] = {}

    class Keep(torch.optim.SGD):
        def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
            for name, parameter in network.named_parameters():
                if parameter.grad is not None:
                    gradients[name] = parameter.grad.clone()

    encoded = Encoded(sequences, np.full(COUNT, 2, np.int64), np.arange(COUNT))
    inputs = TextInputs(network, encoded, execution=execution(), pooling="mean")
    (step,) = train_steps(
        HeadTraining(inputs, network.heads["similarity"], SIMILARITY, targets),
        Keep(network.parameters(), lr=0.0),
        StepPlan(lambda _: [passes], lambda _: 0.0, total_steps=1, clip_norm=0.0, seed=9),
    )
    return step, gradients


@pytest.mark.parametrize(
    "targets",
    [np.linspace(0, 5, COUNT, dtype=np.float32), np.arange(2 * COUNT).reshape(COUNT, 2)],
    ids=["numbers", "positives"],
)
def test_several_passes_give_the_gradient_of_one(targets: np.ndarray) -> None:
    order = np.random.RandomState(1).permutation(COUNT)
    whole, expected = one_step([order], targets)
    parts, found = one_step([order[:2], order[2:3], order[3:]], targets)
    assert whole.loss > 0.1
    assert parts.loss == pytest.approx(whole.loss, abs=1e-5)
    np.testing.assert_allclose(parts.losses, whole.losses, atol=1e-4)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}")
