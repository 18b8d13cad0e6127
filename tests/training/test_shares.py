"""Workers give the gradients of one thread, with the same bits each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import tiny_corpus
from tests.tiny import CONFIG, keyword_rows, settings, write_csv
from torch import Tensor, nn

from albertkit.errors import RunError, UsageError
from albertkit.hardware.device import Execution
from albertkit.models.pretrained import load_model
from albertkit.training.finetune import finetune
from albertkit.training.pretraining.pretrain import pretrain
from albertkit.training.processes import Processes
from albertkit.training.shares import LEAST_TOKENS, Shares, chosen_workers


def _network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_add_up_what_backward_adds_up(workers: int) -> None:
    network, passes = _network(), list(torch.randn(7, 4, 5))
    parameters = list(network.parameters())

    def loss_of(number: int, rows: Tensor) -> tuple[Tensor, int]:
        return network(rows).square().sum(), number

    found = Shares(workers=workers).gradients(loss_of, list(enumerate(passes)), parameters)
    assert found == list(range(7))
    again = _network()
    again(torch.cat(passes)).square().sum().backward()
    for ours, theirs in zip(parameters, again.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize(("workers", "count"), [(1, 1), (1, 3), (2, 2), (2, 5)])
def test_a_head_over_all_passes_gives_the_whole_gradient(workers: int, count: int) -> None:
    network, head, passes = _network(), nn.Linear(3, 2), list(torch.randn(count, 4, 5))
    parameters = [*network.parameters(), *head.parameters()]

    def compare(rows: Tensor) -> tuple[Tensor, int]:
        said = head(rows)
        return (said @ said.T).square().mean(), len(rows)  # every row with every other

    shares = Shares(workers=workers)
    assert shares.gradients_through(lambda _, rows: [network(rows)], passes, compare, parameters) == 4 * count
    gradients = [parameter.grad for parameter in parameters]
    loss, _ = compare(network(torch.cat(passes)))
    for ours, theirs in zip(gradients, torch.autograd.grad(loss, parameters), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_parameter_that_no_pass_uses_has_no_gradient() -> None:
    network, spare = _network(), nn.Linear(2, 2)
    parameters = [*network.parameters(), *spare.parameters()]
    Shares(workers=2).gradients(lambda _, rows: (network(rows).sum(), None), [(0, torch.ones(1, 5))], parameters)
    assert [parameter.grad is None for parameter in parameters] == [False] * 4 + [True] * 2


def _weights(run: Path) -> dict[str, Tensor]:
    return dict(load_model(run).network.canonical_state())


def test_a_run_keeps_its_workers(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "keywords.csv", keyword_rows(40))
    shape: dict[str, Any] = {"epochs": 1, "batch_size": 8, "baseline": False, "plots": False}
    for name in ("first", "second"):
        finetune(settings(data, tmp_path / name, parallel=2, **shape))
    first, second = _weights(tmp_path / "first"), _weights(tmp_path / "second")
    assert all(torch.equal(first[name], second[name]) for name in first)
    (tmp_path / "first" / "report.json").unlink()
    with pytest.raises(RunError, match="parallel was 2 and is 3"):
        finetune(settings(data, tmp_path / "first", parallel=3, **shape), resume=True)
    report = finetune(settings(data, tmp_path / "first", **shape), resume=True)
    assert report.environment["parallel"] == 2


def test_workers_are_chosen_where_steps_are_large() -> None:
    execution, many = Execution("cpu", "fp32", 2), 2 * LEAST_TOKENS

    def chosen(given: int | None = None, **changes: Any) -> int:
        usual: dict[str, Any] = {
            "execution": execution, "config": CONFIG, "processes": Processes(), "step_tokens": many,
        }  # fmt: skip
        return chosen_workers(given, **{**usual, **changes})

    draws = replace(CONFIG, hidden_dropout_prob=0.1)
    assert chosen() == 2
    assert chosen(step_tokens=many - 1) == 1
    assert chosen(execution=Execution("cuda", "bf16", 2)) == 1
    assert chosen(config=draws) == 1
    assert chosen(processes=Processes(0, 2)) == 1
    assert chosen(3, step_tokens=1) == 3
    with pytest.raises(UsageError, match="--parallel 2: this encoder has dropout"):
        chosen(2, config=draws)
    with pytest.raises(UsageError, match="--parallel 2 is for a processor; on cuda"):
        chosen(2, execution=Execution("cuda", "bf16", 2))


def test_workers_recompute_layers(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "keywords.csv", keyword_rows(40))
    shape: dict[str, Any] = {"epochs": 1, "batch_size": 8, "baseline": False, "plots": False, "parallel": 2}
    finetune(settings(data, tmp_path / "kept", **shape))
    finetune(settings(data, tmp_path / "again", gradient_checkpointing=True, **shape))
    kept, again = _weights(tmp_path / "kept"), _weights(tmp_path / "again")
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_two_workers_pretrain_as_accumulation(tmp_path: Path) -> None:
    pretrain(tiny_corpus.settings(tmp_path / "one", accumulate=2, batch_tokens=128, steps=4, parallel=1))
    pretrain(tiny_corpus.settings(tmp_path / "two", accumulate=1, batch_tokens=256, steps=4, parallel=2))
    one, two = _weights(tmp_path / "one"), _weights(tmp_path / "two")
    assert all(torch.equal(one[name], two[name]) for name in one)
