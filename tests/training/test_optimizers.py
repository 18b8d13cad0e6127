"""Optimizers against numbers of Google's code and against torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tiny import tiny_network
from torch import Tensor, nn

from albertkit.errors import UsageError
from albertkit.tasks.classification.head import DeepHead
from albertkit.training.optimizers import Lamb, UncorrectedAdamW, build_optimizer, parameter_groups

START, GRADIENT = (1.0, -2.0, 0.5), (0.1, -0.2, 0.3)


class Weights(nn.Module):
    def __init__(self, values: tuple[float, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(values))


def steps(optimizer: torch.optim.Optimizer, parameter: Tensor, *, rate: float, count: int = 2) -> list[list[float]]:
    found = []
    for group in optimizer.param_groups:
        group["lr"] = rate
    for _ in range(count):
        parameter.grad = torch.tensor(GRADIENT)
        optimizer.step()
        found.append(parameter.detach().tolist())
    return found


# google-research/albert optimization.py and lamb_optimizer.py on p = [1, -2, .5], g = [.1, -.2, .3], rate .1, decay .01
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adamw", [[0.6828722, -1.6818222, 0.1833056], [0.2573252, -1.2552288, -0.2418052]]),
        ("lamb", [[0.8677984, -1.8673607, 0.3679790], [0.7470876, -1.7463530, 0.2473920]]),
    ],
)
def test_google_s_own_trace(name: str, expected: list[list[float]]) -> None:
    module = Weights(START)
    optimizer = build_optimizer(name, [module], weight_decay=0.01, bias_correction=False)
    found = steps(optimizer, module.weight, rate=0.1)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=0, atol=1e-6)


def test_adamw_is_torch_s_with_bias_correction() -> None:
    module, peer = Weights(START), Weights(START)
    found = steps(build_optimizer("adamw", [module], weight_decay=0.01), module.weight, rate=0.1)
    own = torch.optim.AdamW(peer.parameters(), lr=0.1, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.01)
    torch.testing.assert_close(found, steps(own, peer.weight, rate=0.1), rtol=0, atol=1e-6)


def test_lamb_with_bias_correction_is_the_published_algorithm() -> None:
    # You et al. 2020, algorithm 2, in NumPy.
    weight, gradient = np.array(START), np.array(GRADIENT)
    first, second, expected = np.zeros(3), np.zeros(3), []
    for step in (1, 2):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        update = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-6) + 0.01 * weight
        weight = weight - 0.1 * np.linalg.norm(weight) / np.linalg.norm(update) * update
        expected.append(weight.tolist())
    module = Weights(START)
    found = steps(build_optimizer("lamb", [module], weight_decay=0.01), module.weight, rate=0.1)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=0, atol=1e-6)


def test_adam_has_no_decay() -> None:
    module = Weights(START)
    assert all(group["weight_decay"] == 0 for group in build_optimizer("adam", [module], weight_decay=0.5).param_groups)


@pytest.mark.parametrize("bias_correction", [True, False])
def test_google_s_published_test(bias_correction: bool) -> None:
    # optimization_test.py: 100 steps at rate 0.2 towards [.4, .2, -.5] come within 1e-2.
    module, target = Weights((0.1, -0.2, -0.1)), torch.tensor([0.4, 0.2, -0.5])
    optimizer = build_optimizer("adamw", [module], weight_decay=0.0, bias_correction=bias_correction)
    for group in optimizer.param_groups:
        group["lr"] = 0.2
    for _ in range(100):
        optimizer.zero_grad()
        (module.weight - target).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(module.weight.detach(), target, rtol=0, atol=1e-2)


def test_biases_and_norms_have_no_decay() -> None:
    network = tiny_network()
    network.heads["classifier"] = DeepHead(16, 2, hidden=(5,), norm="batch")
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    decayed, free = (
        {names[id(parameter)] for parameter in group["params"]}
        for group in parameter_groups([network], weight_decay=0.01)
    )
    assert decayed | free == set(names.values())
    assert not decayed & free
    assert all(name.endswith("weight") and "norm" not in name for name in decayed)
    assert all(name.endswith("bias") or "norm" in name or name == "heads.classifier.hidden.0.2.weight" for name in free)


def test_a_rate_factor_leaves_the_decay_as_it_is() -> None:
    first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    groups = parameter_groups([first, second], weight_decay=0.01, rate_factors=dict.fromkeys(second.parameters(), 0.5))
    found = [(group["rate_factor"], group["weight_decay"], *map(id, group["params"])) for group in groups]
    assert found == [
        (1.0, 0.01, id(first.weight)),
        (1.0, 0.0, id(first.bias)),
        (0.5, 0.01, id(second.weight)),
        (0.5, 0.0, id(second.bias)),
    ]


def test_frozen_parameters_are_in_no_group() -> None:
    network = tiny_network()
    network.encoder.requires_grad_(False)
    assert parameter_groups([network], weight_decay=0.01) == []


def test_lamb_scales_weights_alone_and_survives_zeros() -> None:
    module, plain = Weights(START), Weights(START)
    groups = [{"params": [module.weight], "adapt": False, "weight_decay": 0.0}]
    unscaled = steps(Lamb(groups, lr=0.1), module.weight, rate=0.1)
    uncorrected = UncorrectedAdamW(plain.parameters(), lr=0.1, weight_decay=0.0)
    assert unscaled == steps(uncorrected, plain.weight, rate=0.1)
    zeros = Weights((0.0, 0.0, 0.0))  # a weight of length 0 is moved as it is
    (first,) = steps(Lamb(zeros.parameters(), lr=0.1, weight_decay=0.0), zeros.weight, rate=0.1, count=1)
    assert first == pytest.approx([unscaled[0][index] - START[index] for index in range(3)], abs=1e-6)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match='unknown optimizer "lam"; did you mean "lamb"'):
        build_optimizer("lam", [Weights(START)], weight_decay=0.0)
