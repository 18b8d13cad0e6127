"""The prepared encoder says what the encoder says."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch

from albertkit.batching.batch import Batch, Sequence
from albertkit.config import AlbertConfig
from albertkit.encoder.encoder import Encoder, EncoderOutput
from albertkit.encoder.layer import Layer
from albertkit.encoder.prepared import PreparedEncoder, can_prepare
from albertkit.errors import UsageError

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(not can_prepare(CPU, torch.float32), reason="this processor has no packed products")


def encoder_of(**changes: object) -> Encoder:
    shape: dict[str, object] = {
        "vocab_size": 50, "embedding_size": 16, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4,
        "intermediate_size": 48, "max_position_embeddings": 40, "initializer_range": 0.2,
    }  # fmt: skip
    torch.manual_seed(3)
    return Encoder(AlbertConfig(**{**shape, **changes})).eval()  # type: ignore[arg-type]


def batch_of(*lengths: int) -> Batch:
    random = np.random.RandomState(len(lengths))
    return Batch.pack(
        Sequence(random.randint(0, 50, length), (np.arange(length) > length // 2).astype(np.int64))
        for length in lengths
    )


def encode(encoder: Encoder, batch: Batch) -> EncoderOutput:
    with torch.inference_mode():
        found = encoder(batch)
    assert isinstance(found, EncoderOutput)
    return found


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_hidden_groups": 2},
        {"inner_group_num": 2, "num_hidden_groups": 4},
        {"embedding_size": 32},
        {"num_hidden_layers": 1},
    ],
    ids=["one group", "two groups", "inner layers", "no projection", "one layer"],
)
def test_equal_to_the_encoder(activation: str, changes: dict[str, int]) -> None:
    encoder = encoder_of(hidden_act=activation, **changes)
    batch = batch_of(7, 1, 40, 7, 12, 3, 7)
    wanted = encode(encoder, batch)
    prepared = PreparedEncoder(encoder, dtype=torch.float32)
    with torch.inference_mode():
        whole, first = prepared(batch), prepared(batch, first_only=True)
    torch.testing.assert_close(whole.sequence_output, wanted.sequence_output, rtol=0, atol=2e-5)
    assert whole.lengths.tolist() == wanted.lengths.tolist()
    for found in (whole, first):
        torch.testing.assert_close(found.pooled_output, wanted.pooled_output, rtol=0, atol=2e-5)
    starts = torch.from_numpy(batch.starts)
    torch.testing.assert_close(first.sequence_output, wanted.sequence_output[starts], rtol=0, atol=2e-5)
    assert first.lengths.tolist() == [1] * len(batch)


@pytest.mark.skipif(not can_prepare(CPU, torch.bfloat16), reason="this processor has no bf16 products")
def test_bf16_is_as_near_as_autocast() -> None:
    encoder = encoder_of(hidden_size=64, intermediate_size=256)
    batch = batch_of(*range(3, 40))
    wanted = encode(encoder, batch).sequence_output
    with torch.autocast("cpu", dtype=torch.bfloat16):
        autocast = encode(encoder, batch).sequence_output.float()
    with torch.inference_mode():
        prepared = PreparedEncoder(encoder, dtype=torch.bfloat16)(batch).sequence_output.float()
    assert (prepared - wanted).norm() < 1.5 * (autocast - wanted).norm()


@pytest.mark.skipif(not can_prepare(CPU, torch.float16), reason="this processor has no products with fp16 weights")
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_fp16_weights_are_as_near_as_rounded_ones(activation: str) -> None:
    encoder = encoder_of(hidden_size=64, intermediate_size=256, hidden_act=activation)
    batch = batch_of(*range(3, 40))
    with torch.inference_mode():
        prepared = PreparedEncoder(encoder, dtype=torch.float16)(batch)
    for name, weight in encoder.named_parameters():
        if name.endswith("weight") and "norm" not in name and (weight.ndim == 2 and "embeddings" not in name):
            weight.data = weight.data.half().float()
    projection = encoder.embeddings.projection
    assert isinstance(projection, torch.nn.Linear)
    projection.weight.data = projection.weight.data.half().float()
    wanted = encode(encoder, batch)
    torch.testing.assert_close(prepared.sequence_output, wanted.sequence_output, rtol=0, atol=2e-5)
    torch.testing.assert_close(prepared.pooled_output, wanted.pooled_output, rtol=0, atol=2e-5)


def test_a_part_that_was_replaced_is_seen() -> None:
    encoder = encoder_of()
    attention = cast(Layer, encoder.groups[0].inner[0]).attention
    prepared = PreparedEncoder(encoder, dtype=torch.float32)
    kept = attention.output
    attention.output = torch.nn.Linear(32, 32)
    assert not prepared.is_current()
    attention.output = kept
    assert prepared.is_current()
    kept.weight = torch.nn.Parameter(kept.weight.detach().clone())
    assert not prepared.is_current()


def test_bad_ids_are_refused() -> None:
    prepared = PreparedEncoder(encoder_of(), dtype=torch.float32)
    with pytest.raises(UsageError, match=r"input_ids holds 50, outside 0\.\.49"):
        prepared(Batch.pack([Sequence(np.array([1, 50]), np.zeros(2, np.int64))]))


def test_a_change_of_any_packed_weight_is_seen() -> None:
    encoder = encoder_of()
    prepared = PreparedEncoder(encoder, dtype=torch.float32)
    live = {name for name, _ in encoder.named_parameters() if "embeddings" in name and "projection" not in name}
    for name, weight in encoder.named_parameters():
        if name not in live:
            assert prepared.is_current()
            kept = weight.data.clone()
            weight.data += 1
            assert not prepared.is_current(), name
            weight.data.copy_(kept)
    encoder.active_layers = 2
    assert not prepared.is_current()


@pytest.mark.parametrize("head", range(12))
def test_a_head_set_to_zero_is_seen(head: int) -> None:
    encoder = encoder_of(hidden_size=48, num_attention_heads=12)
    prepared = PreparedEncoder(encoder, dtype=torch.float32)
    attention = cast(Layer, encoder.groups[0].inner[0]).attention
    attention.output.weight.data[:, 4 * head : 4 * (head + 1)] = 0
    assert not prepared.is_current()


@pytest.mark.parametrize("change", ["one number", "one bit", "two numbers trade places", "signs", "rows trade places"])
@pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])
def test_a_small_change_is_seen(change: str, transposed: bool) -> None:
    encoder = encoder_of()
    weight = cast(Layer, encoder.groups[0].inner[0]).ffn.up.weight
    if transposed:  # as weights from other formats lie in memory
        weight.data = weight.data.t().contiguous().t()
    prepared = PreparedEncoder(encoder, dtype=torch.float32)
    numbers = weight.detach().numpy()  # torch counts no change by NumPy
    assert prepared.is_current()
    if change == "one number":
        numbers[17, 23] = 0.5
    elif change == "one bit":
        numbers[17, 23] = np.nextafter(numbers[17, 23], np.float32(9))
    elif change == "two numbers trade places":
        numbers[17, 22], numbers[17, 23] = numbers[17, 23], numbers[17, 22]
    elif change == "signs":
        numbers[:, 1::2] *= -1
    else:
        numbers[[3, 19]] = numbers[[19, 3]]
    assert not prepared.is_current()


@pytest.mark.parametrize("part", ["word", "position", "token_type"])
def test_an_exchanged_table_is_seen(part: str) -> None:
    encoder = encoder_of()
    prepared = PreparedEncoder(encoder, dtype=torch.float32)
    table = getattr(encoder.embeddings, part)
    table.weight = torch.nn.Parameter(torch.ones_like(table.weight))
    assert not prepared.is_current()


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD], ids=["adamw", "sgd"])
def test_a_step_of_a_fused_optimizer_is_seen(optimizer: type[torch.optim.AdamW | torch.optim.SGD]) -> None:
    encoder = encoder_of()
    prepared = PreparedEncoder(encoder, dtype=torch.float32)
    steps = optimizer(encoder.parameters(), lr=1e-6, fused=True)
    output = encoder(batch_of(5, 9))
    assert isinstance(output, EncoderOutput)
    output.pooled_output.sum().backward()  # type: ignore[no-untyped-call]
    steps.step()
    assert not prepared.is_current()


@pytest.mark.parametrize("assign", [False, True])
def test_a_loaded_state_is_seen(assign: bool) -> None:
    encoder = encoder_of()
    prepared = PreparedEncoder(encoder, dtype=torch.float32)
    other = encoder_of()
    other.pooler.weight.data[0, 0] += 1e-3
    encoder.load_state_dict(other.state_dict(), assign=assign)
    assert not prepared.is_current()
