"""The heads after every layer: what they read, and their loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.tiny import CONFIG, tiny_network
from torch.nn import functional as F

from albertkit.batching.batch import Batch
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.errors import UsageError
from albertkit.tasks.classification.exits import ExitObjective, build_exits, every_head, exit_states
from albertkit.tasks.network import Network
from albertkit.tasks.pooling import pooled_features

DEEP = replace(CONFIG, num_hidden_layers=5)


def batch(*, seed: int = 1, lengths: tuple[int, ...] = (7, 3, 3, 11, 2)) -> Batch:
    random = np.random.RandomState(seed)
    return Batch.pack(TokenSequence(random.randint(5, 29999, length), np.zeros(length, np.int64)) for length in lengths)


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
def test_a_head_reads_what_a_network_of_so_many_layers_gives(pooling: str) -> None:
    network = tiny_network(config=DEEP).eval()
    with torch.no_grad():
        states = exit_states(network, batch(), pooling=pooling)
        assert states.shape == (5, 5, 16)
        for layers in range(1, 6):
            network.encoder.active_layers = layers
            torch.testing.assert_close(states[:, layers - 1], pooled_features(network(batch()), pooling=pooling))


def test_the_loss_is_the_mean_weighted_by_the_layers_number() -> None:
    torch.manual_seed(0)
    states, targets = torch.randn(4, 3, 16), torch.tensor([0, 1, 2, 1])
    heads = torch.nn.ModuleList(torch.nn.Linear(16, 3) for _ in range(3))
    counts = np.ones(4, np.int64)
    rows, losses = ExitObjective("classification").losses(heads, states, lengths=counts, counts=counts, targets=targets)
    each = [F.cross_entropy(heads[layer](states[:, layer]), targets, reduction="none") for layer in range(3)]
    torch.testing.assert_close(losses, (each[0] + 2 * each[1] + 3 * each[2]) / 6)
    torch.testing.assert_close(rows, heads[2](states[:, 2]))


def test_windows_of_a_text_are_averaged_in_every_exit() -> None:
    torch.manual_seed(0)
    states, targets = torch.randn(5, 2, 16), torch.tensor([1.5, -0.5])
    heads = torch.nn.ModuleList(torch.nn.Linear(16, 1) for _ in range(2))
    counts = np.array([2, 3], np.int64)
    _, losses = ExitObjective("regression").losses(
        heads, states, lengths=np.ones(5, np.int64), counts=counts, targets=targets
    )
    first, last = heads[0](states[:, 0])[:, 0], heads[1](states[:, 1])[:, 0]
    for unit, part in enumerate((slice(0, 2), slice(2, 5))):
        wanted = ((first[part].mean() - targets[unit]) ** 2 + 2 * (last[part].mean() - targets[unit]) ** 2) / 3
        torch.testing.assert_close(losses[unit], wanted)


def test_every_layer_has_a_head_and_the_last_one_is_the_tasks_own() -> None:
    objective = ExitObjective("classification")
    network = Network(
        tiny_network(config=DEEP).encoder,
        {"classifier": objective.build(DEEP, 3), "exits": build_exits(objective, DEEP, 3)},
    )
    heads = every_head(network, head="classifier")
    assert len(heads) == 5
    assert heads[4] is network.heads["classifier"]
    assert [name for name in network.canonical_state() if name.startswith("heads.exits")] == [
        f"heads.exits.{layer}.{part}" for layer in range(4) for part in ("weight", "bias")
    ]


def test_a_network_of_one_layer_has_no_exits() -> None:
    with pytest.raises(UsageError, match="exits need a network of two layers or more"):
        build_exits(ExitObjective("classification"), replace(CONFIG, num_hidden_layers=1), 2)
