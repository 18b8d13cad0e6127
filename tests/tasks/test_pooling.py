"""What a head reads of each sequence: by NumPy, by hand, and with the gradient of the plain sum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tiny import tiny_network
from torch import Tensor

from albertkit.batching.batch import Batch, Sequence
from albertkit.config import HEAD_POOLINGS
from albertkit.encoder.encoder import EncoderOutput
from albertkit.errors import UsageError
from albertkit.tasks.pooling import check_pooling, pooled_features

LENGTHS = (5, 2, 11, 2)
WIDTH = 7
SEGMENTS = ((0, 0, 0, 1, 1), (0, 1), (0,) + (1,) * 10, (0, 1))


def encoded(*, dtype: torch.dtype = torch.float32) -> EncoderOutput:
    random = np.random.RandomState(4)
    hidden = torch.from_numpy(random.randn(sum(LENGTHS), WIDTH)).to(dtype).requires_grad_()
    pooled = torch.from_numpy(random.randn(len(LENGTHS), WIDTH)).to(dtype)
    return EncoderOutput(hidden, pooled, torch.tensor(LENGTHS), torch.tensor([one for row in SEGMENTS for one in row]))


def parts(hidden: Tensor) -> list[np.ndarray]:
    return np.split(hidden.detach().double().numpy(), np.cumsum(LENGTHS)[:-1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_are_what_numpy_says(dtype: torch.dtype) -> None:
    output = encoded(dtype=dtype)
    mean = pooled_features(output, pooling="mean")
    assert mean.dtype is torch.float32
    by_numpy = np.stack([part.mean(axis=0) for part in parts(output.sequence_output)])
    np.testing.assert_allclose(mean.detach().numpy(), by_numpy, atol=1e-6)
    first = np.stack([part[0] for part in parts(output.sequence_output)])
    np.testing.assert_array_equal(pooled_features(output, pooling="cls").detach().double().numpy(), first)
    assert pooled_features(output, pooling="pooler") is output.pooled_output
    pairs = pooled_features(output, pooling="pair").detach().numpy()
    for row, part, segments in zip(pairs, parts(output.sequence_output), SEGMENTS, strict=True):
        u, v = (part[np.array(segments) == text].mean(axis=0) for text in (0, 1))
        np.testing.assert_allclose(row, np.concatenate([u, v, np.abs(u - v), u * v]), atol=1e-6)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_gradient_comes_to_each_token_once(pooling: str) -> None:
    output = encoded()
    weights = torch.arange(1.0, len(LENGTHS) * WIDTH + 1).view(len(LENGTHS), WIDTH)
    (pooled_features(output, pooling=pooling) * weights).sum().backward()
    assert output.sequence_output.grad is not None
    for length, weight, gradient in zip(LENGTHS, weights.numpy(), parts(output.sequence_output.grad), strict=True):
        share = {"mean": np.full(length, 1 / length), "cls": np.eye(length)[0]}[pooling]
        np.testing.assert_allclose(gradient, share[:, None] * weight, rtol=1e-6)


def test_a_mean_of_many_rows_loses_nothing_in_bf16() -> None:
    hidden = torch.full((512, 1), 1 + 2**-7, dtype=torch.bfloat16)  # a bf16 sum of these stops at 256
    output = EncoderOutput(hidden, hidden[:1], torch.tensor([512]), torch.zeros(512).long())
    assert pooled_features(output, pooling="mean").item() == 1 + 2**-7


@pytest.mark.parametrize("pooling", HEAD_POOLINGS)
def test_a_sequence_does_not_depend_on_its_neighbours(pooling: str) -> None:
    network = tiny_network().eval()
    random = np.random.RandomState(2)
    sequences = [Sequence(random.randint(5, 30000, len(row)), np.array(row)) for row in SEGMENTS]
    with torch.inference_mode():
        together = pooled_features(network(Batch.pack(sequences)), pooling=pooling)
        alone = [pooled_features(network(Batch.pack([sequence])), pooling=pooling) for sequence in sequences]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    words = r'unknown pooling "men"; did you mean "mean"\? \(known: pooler, cls, mean\)'
    with pytest.raises(UsageError, match=words):
        check_pooling("men")
    with pytest.raises(UsageError, match=r"known: pooler, cls, mean, pair\)"):
        pooled_features(encoded(), pooling="men")


def test_a_pair_of_one_text_is_refused() -> None:
    network = tiny_network().eval()
    single = Batch.pack([Sequence(np.array([2, 9, 3]), np.zeros(3, np.int64))])
    with pytest.raises(UsageError, match="reads two texts, but a sequence holds one"):
        pooled_features(network(single), pooling="pair")
