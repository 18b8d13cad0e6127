"""Classification, regression and multi-label: targets, readings, heads and losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch import nn

from albertkit.data.examples import TextExample
from albertkit.errors import DataError, UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.classification import CLASSIFICATION, MULTILABEL, REGRESSION
from albertkit.tasks.classification.head import DeepHead, LinearHead, build_head, example_losses
from albertkit.text.tokenizer import Tokenizer

LOGITS = np.array([[3.0, -800.0, 800.0], [0.5, 0.25, -0.25]], np.float32)


def test_targets() -> None:
    rows = [TextExample("a", label=1), TextExample("b", label=0)]
    assert CLASSIFICATION.targets(rows, num_labels=2).tolist() == [1, 0]
    assert REGRESSION.targets([TextExample("a", label=2.5)], num_labels=0).tolist() == [2.5]
    several = [TextExample("a", label=(0, 2)), TextExample("b", label=())]
    assert MULTILABEL.targets(several, num_labels=3).tolist() == [[1, 0, 1], [0, 0, 0]]
    with pytest.raises(DataError, match="example q7 has no label"):
        CLASSIFICATION.targets([*rows, TextExample("c", id="q7")], num_labels=2)


def test_probabilities_are_scipy_s_and_do_not_overflow() -> None:
    np.testing.assert_allclose(CLASSIFICATION.probabilities(LOGITS), softmax(LOGITS.astype(float), axis=1), atol=1e-12)
    np.testing.assert_allclose(MULTILABEL.probabilities(LOGITS), expit(LOGITS.astype(float)), atol=1e-12)


def test_decoded_rows() -> None:
    labels = ("a", "b", "c")
    first, second = CLASSIFICATION.decode(LOGITS, labels=labels)
    assert (first["label"], second["label"]) == ("c", "a")
    assert list(second["probabilities"]) == list(labels)
    assert sum(second["probabilities"].values()) == pytest.approx(1)
    assert [row["labels"] for row in MULTILABEL.decode(LOGITS, labels=labels)] == [["a", "c"], ["a", "b"]]
    assert REGRESSION.decode(LOGITS[:, :1], labels=()) == [{"value": 3.0}, {"value": 0.5}]


def test_pairs_are_tokenised_as_pairs() -> None:
    tokenizer = Tokenizer.official()
    one, two = CLASSIFICATION.sequences(tokenizer, [TextExample("a b", "c"), TextExample("d")], max_length=6)
    assert one.token_type_ids.tolist() == [0] * 4 + [1] * 2
    assert two.token_type_ids[-1] == 1  # a row without its pair among pairs has an empty one
    (single,) = CLASSIFICATION.sequences(tokenizer, [TextExample("word " * 50)], max_length=6)
    assert len(single) == 6


@pytest.mark.parametrize("name", ["classification", "regression", "multilabel"])
def test_losses_are_torch_s(name: str) -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 1 if name == "regression" else 3)
    targets = {
        "classification": torch.tensor([0, 2, 1, 1, 0]),
        "regression": torch.randn(5),
        "multilabel": torch.randint(0, 2, (5, 3)).float(),
    }[name]
    peer = {"classification": nn.CrossEntropyLoss(), "regression": nn.MSELoss(), "multilabel": nn.BCEWithLogitsLoss()}
    shaped = logits[:, 0] if name == "regression" else logits
    losses = example_losses(name, logits, targets)
    assert losses.shape == (5,)
    torch.testing.assert_close(losses.mean(), peer[name](shaped, targets))
    assert TASKS[name].name == name


def test_a_linear_head_is_google_s() -> None:
    head = build_head(16, 3, dropout=0.1)
    assert isinstance(head, LinearHead)
    assert sorted(head.state_dict()) == ["bias", "weight"]
    assert float(head.weight.detach().abs().max()) <= 0.04
    assert not head.bias.detach().any()
    assert head.dropout.p == 0.1


def test_a_deep_head_is_keras_s_chain_of_blocks() -> None:
    torch.manual_seed(0)
    head = build_head(16, 2, dropout=0.1, hidden=(7, 5), norm="batch")
    assert isinstance(head, DeepHead)
    kinds = [type(part).__name__ for block in head.hidden for part in block]  # type: ignore[attr-defined]
    assert kinds == ["Linear", "ReLU", "BatchNorm1d"] * 2
    assert not any(isinstance(part, nn.Dropout) for part in head.modules())
    assert sorted(head.state_dict())[0].startswith("hidden.0.0.")
    assert {name.split(".")[0] for name in head.state_dict()} == {"hidden", "output"}
    pooled = torch.randn(9, 16)
    by_hand = pooled
    for block in head.hidden:
        by_hand = torch.relu(block[0](by_hand))  # type: ignore[index]
        mean, variance = by_hand.mean(0), by_hand.var(0, unbiased=False)
        by_hand = (by_hand - mean) / torch.sqrt(variance + 1e-5)
    torch.testing.assert_close(head.train()(pooled), head.output(by_hand))


def test_a_last_step_of_one_example_uses_the_running_statistics() -> None:
    head = DeepHead(16, 2, hidden=(5,), norm="batch").train()
    head(torch.randn(8, 16))
    before = {name: value.clone() for name, value in head.state_dict().items()}
    one = torch.randn(1, 16)
    logits = head(one)
    logits.sum().backward()
    assert head.hidden[0].training
    torch.testing.assert_close(logits, head.eval()(one))
    for name, value in head.state_dict().items():
        torch.testing.assert_close(value, before[name])


@pytest.mark.parametrize(
    ("hidden", "norm", "words"),
    [
        ((), "batch", "--head-norm batch needs --head-hidden"),
        ((8,), "layer", r'unknown head norm "layer" \(known: none, batch\)'),
        ((8, 0), "none", "--head-hidden is 8,0; every width must be 1 or more"),
    ],
)
def test_heads_that_cannot_be(hidden: tuple[int, ...], norm: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build_head(16, 2, dropout=0.0, hidden=hidden, norm=norm)
