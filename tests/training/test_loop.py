"""The loop: gradients in several forward passes equal those of one; what a step says of itself; divergence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tests.tiny import execution, tiny_network
from torch import nn

from albertkit.batching.batch import Sequence
from albertkit.batching.cutting import training_steps
from albertkit.errors import RunError
from albertkit.tasks.classification.head import ClassificationObjective, DeepHead, LinearHead, build_head
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.network import Network
from albertkit.training.loop import FeatureInputs, HeadTraining, Step, StepPlan, TextInputs, train_steps

COUNT = 13
LENGTHS = np.random.RandomState(1).randint(3, 19, COUNT)
ALL = np.arange(COUNT)


@pytest.fixture(scope="module")
def sequences() -> list[Sequence]:
    random = np.random.RandomState(2)
    return [Sequence(random.randint(5, 30000, length), np.zeros(length, np.int64)) for length in LENGTHS]


EMPTY = Sequence(np.zeros(0, np.int64), np.zeros(0, np.int64))


def network_with(head: nn.Module) -> Network:
    network = tiny_network()
    network.heads["classifier"] = head
    return network.train()


def one_step(
    network: Network,
    sequences: list[Sequence],
    passes: list[np.ndarray],
    *,
    task: str = "classification",
    pooling: str = "pooler",
) -> tuple[Step, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Make one step of rate 0; return it with the gradients and the buffers."""
    gradients: dict[str, torch.Tensor] = {}

    class Keep(torch.optim.SGD):
        def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
            for name, parameter in network.named_parameters():
                unread = pooling != "pooler" and name.startswith("encoder.pooler.")
                assert (parameter.grad is None) == unread, name
                if parameter.grad is not None:
                    gradients[name] = parameter.grad.clone()

    targets = np.random.RandomState(4).randint(0, 3, COUNT)
    if task == "regression":
        targets = targets.astype(np.float32)
    inputs = TextInputs(network, Encoded.one_each(sequences), execution=execution(), pooling=pooling)
    (step,) = train_steps(
        HeadTraining(inputs, network.heads["classifier"], ClassificationObjective(task), targets),
        Keep(network.parameters(), lr=0.0),
        StepPlan(lambda _: [passes], lambda _: 0.0, total_steps=1, clip_norm=0.0, seed=9),
    )
    return step, gradients, {name: value.clone() for name, value in network.named_buffers()}


def heads() -> Iterator[tuple[str, nn.Module, str]]:
    torch.manual_seed(3)
    yield "linear", build_head(16, 3, dropout=0.0), "classification"
    yield "deep", DeepHead(16, 3, hidden=(7, 5)), "classification"
    yield "batch norm", DeepHead(16, 3, hidden=(7, 5), norm="batch"), "classification"
    yield "regression", build_head(16, 1, dropout=0.0), "regression"


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
@pytest.mark.parametrize(("head", "task"), [pytest.param(head, task, id=name) for name, head, task in heads()])
def test_several_passes_give_the_gradient_of_one(
    head: nn.Module, task: str, pooling: str, sequences: list[Sequence]
) -> None:
    weights = {name: value.clone() for name, value in head.state_dict().items()}
    whole, expected, buffers = one_step(network_with(head), sequences, [ALL], task=task, pooling=pooling)
    head.load_state_dict(weights)
    order = np.argsort(-LENGTHS, kind="stable")
    passes = [order[:2], order[2:9], order[9:]]
    parts, found, running = one_step(network_with(head), sequences, passes, task=task, pooling=pooling)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}")
    for name, buffer in buffers.items():
        torch.testing.assert_close(running[name], buffer, rtol=1e-6, atol=1e-6)
    assert parts.loss == pytest.approx(whole.loss, abs=1e-6)
    assert parts.indices.tolist() == order.tolist()
    rounding = 1e-6 if pooling == "pooler" else 5e-6  # hidden states are not held in [-1, 1] by a tanh
    np.testing.assert_allclose(parts.logits[np.argsort(order)], whole.logits, atol=5 * rounding)
    np.testing.assert_allclose(parts.losses[np.argsort(order)], whole.losses, atol=5 * rounding)


def test_batch_norm_counts_one_update_a_step(sequences: list[Sequence]) -> None:
    head = DeepHead(16, 3, hidden=(5,), norm="batch")
    _, _, buffers = one_step(network_with(head), sequences, [ALL[:6], ALL[6:]])
    assert buffers["heads.classifier.hidden.0.2.num_batches_tracked"] == 1


def feature_run(
    *, total: int, first: int = 0, seed: int = 5, rate: float = 0.1, scale: float = 1.0, dropout: float = 0.5
) -> tuple[list[Step], LinearHead]:
    torch.manual_seed(0)
    features = torch.randn(COUNT, 16) * scale
    head = LinearHead(16, 2, dropout=dropout).train()
    optimizer = torch.optim.SGD(head.parameters(), lr=0.0)
    training = HeadTraining(
        FeatureInputs(features, Encoded.one_each([EMPTY] * COUNT)),
        head,
        ClassificationObjective("classification"),
        (features[:, 0] > 0).long().numpy(),
    )
    plan = StepPlan(
        lambda epoch: training_steps(np.ones(COUNT, int), batch_size=4, batch_tokens=4, seed=seed % 2**32, epoch=epoch),
        lambda step: rate / (1 + step),
        total,
        clip_norm=1.0,
        seed=seed,
    )
    return list(train_steps(training, optimizer, plan, first_step=first)), head


def test_numbers_epochs_and_rates() -> None:
    steps, _ = feature_run(total=6)
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6]
    assert [step.epoch for step in steps] == [0, 0, 0, 0, 1, 1]
    assert [step.last_of_epoch for step in steps] == [False, False, False, True, False, False]
    assert [step.learning_rate for step in steps] == [0.1 / (1 + step) for step in range(6)]
    assert sorted(np.concatenate([step.indices for step in steps[:4]]).tolist()) == ALL.tolist()
    assert steps[0].loss == pytest.approx(float(steps[0].losses.mean()))


def test_a_run_that_goes_on_makes_the_steps_it_would_have_made() -> None:
    everything, _ = feature_run(total=6, rate=0.0)
    rest, _ = feature_run(total=6, rate=0.0, first=3)
    assert [step.number for step in rest] == [4, 5, 6]
    for step, same in zip(rest, everything[3:], strict=True):
        assert step.indices.tolist() == same.indices.tolist()
        assert step.logits.tolist() == same.logits.tolist()  # dropout too


def test_every_seed_can_be_used() -> None:
    for seed in (0, 2**32 - 1, 2**63, 10**30):
        assert len(feature_run(total=1, seed=seed)[0]) == 1


def test_other_seeds_drop_other_units() -> None:
    torch.manual_seed(0)
    logits = [feature_run(total=1, seed=seed, rate=0.0)[0][0].logits.tolist() for seed in (5, 5, 5 + 2**31)]
    assert logits[0] == logits[1]
    assert logits[0] != logits[2]


def test_a_loss_that_is_no_number_stops_the_run_in_one_sentence() -> None:
    with pytest.raises(RunError, match=r"the loss became (nan|inf) at step 1 .*: the training diverged; start again"):
        feature_run(total=3, scale=float("inf"))


def test_the_gradient_is_clipped_and_its_length_told_before() -> None:
    steps, head = feature_run(total=1, scale=100.0, rate=1.0, dropout=0.0)
    torch.manual_seed(0)
    torch.randn(COUNT, 16)
    before = LinearHead(16, 2, dropout=0.0)
    moved = sum(
        float((a - b).detach().square().sum()) for a, b in zip(head.parameters(), before.parameters(), strict=True)
    )
    assert steps[0].gradient_norm > 1
    assert moved**0.5 == pytest.approx(1.0, abs=1e-4)


def test_tokens_are_those_that_passed_the_encoder(sequences: list[Sequence]) -> None:
    step, _, _ = one_step(network_with(build_head(16, 3, dropout=0.0)), sequences, [ALL])
    assert step.tokens == int(LENGTHS.sum())
    assert feature_run(total=1)[0][0].tokens == 0
