"""The encoder against transformers' AlbertForPreTraining on the same random weights, and its own contracts."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from albertkit.batching.batch import Batch
from albertkit.cli import group
from albertkit.config import PUBLISHED, AlbertConfig
from albertkit.encoder.encoder import Encoder, EncoderOutput
from albertkit.errors import UsageError

TINY = AlbertConfig(
    vocab_size=211,
    embedding_size=13,
    hidden_size=34,
    num_hidden_layers=5,
    num_attention_heads=2,
    intermediate_size=59,
    max_position_embeddings=47,
)

# Frozen: checkpoints and converters depend on these names.
KEYS = """
embeddings.word.weight embeddings.position.weight embeddings.token_type.weight embeddings.norm.weight
embeddings.norm.bias embeddings.projection.weight embeddings.projection.bias
groups.0.layers.0.attention.query.weight groups.0.layers.0.attention.query.bias
groups.0.layers.0.attention.key.weight groups.0.layers.0.attention.key.bias
groups.0.layers.0.attention.value.weight groups.0.layers.0.attention.value.bias
groups.0.layers.0.attention.output.weight groups.0.layers.0.attention.output.bias
groups.0.layers.0.attention.norm.weight groups.0.layers.0.attention.norm.bias
groups.0.layers.0.ffn.up.weight groups.0.layers.0.ffn.up.bias groups.0.layers.0.ffn.down.weight
groups.0.layers.0.ffn.down.bias groups.0.layers.0.ffn.norm.weight groups.0.layers.0.ffn.norm.bias
pooler.weight pooler.bias
""".split()


def ragged(config: AlbertConfig, lengths: list[int], seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    ids = rng.integers(5, config.vocab_size, mask.shape) * mask
    segments = (np.arange(max(lengths)) >= 9).astype(np.int64) * mask
    return {"input_ids": ids, "input_mask": mask, "segment_ids": segments}


def test_state_names_are_frozen() -> None:
    assert list(Encoder(TINY).state_dict()) == KEYS


@pytest.mark.parametrize(
    "size,expected", [("base", 11_683_584), ("large", 17_683_968), ("xlarge", 58_724_864), ("xxlarge", 222_595_584)]
)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_published_parameter_counts(size: str, expected: int, version: str) -> None:
    with torch.device("meta"):
        encoder = Encoder(PUBLISHED[f"albert-{size}-{version}"])
    assert sum(parameter.numel() for parameter in encoder.parameters()) == expected


def test_packed_and_padded_calls_agree() -> None:
    torch.manual_seed(0)
    encoder = Encoder(TINY).eval()
    arrays = ragged(TINY, [23, 7, 11, 22])
    tensors = {
        "input_ids": torch.from_numpy(arrays["input_ids"]),
        "attention_mask": torch.from_numpy(arrays["input_mask"]),
        "token_type_ids": torch.from_numpy(arrays["segment_ids"]),
    }
    batch = Batch.from_padded(arrays["input_ids"], arrays["input_mask"], arrays["segment_ids"])
    with torch.no_grad():
        padded = encoder(**tensors, with_hidden_states=True)
        packed = encoder(batch)
    kept = tensors["attention_mask"].bool()
    torch.testing.assert_close(padded.sequence_output[kept], packed.sequence_output, atol=1e-5, rtol=0)
    torch.testing.assert_close(padded.pooled_output, packed.pooled_output, atol=1e-5, rtol=0)
    assert not padded.sequence_output[~kept].any()
    assert len(padded.hidden_states) == TINY.num_hidden_layers + 1


def test_equal_widths_have_no_projection() -> None:
    encoder = Encoder(replace(TINY, embedding_size=34))
    assert not [name for name in encoder.state_dict() if "projection" in name]


def test_pooled_only_stands_in_a_sequential_frozen_or_trained() -> None:
    batch = Batch.from_padded(*ragged(TINY, [5, 3]).values())
    for trainable in (False, True):
        encoder = Encoder(TINY, pooled_only=True).requires_grad_(trainable)
        model = torch.nn.Sequential(encoder, torch.nn.Linear(34, 3))
        model(batch).sum().backward()
        assert (encoder.pooler.weight.grad is not None) == trainable
        assert model[1].weight.grad is not None


def test_dropout_only_in_training() -> None:
    encoder = Encoder(TINY.with_dropout(0.4))
    batch = Batch.from_padded(*ragged(TINY, [5, 3]).values())
    encoder.train()
    assert not torch.equal(encoder(batch).pooled_output, encoder(batch).pooled_output)
    encoder.eval()
    assert torch.equal(encoder(batch).pooled_output, encoder(batch).pooled_output)


@pytest.mark.parametrize(
    "change,words",
    [
        ({"input_ids": np.array([211, 3])}, "input_ids holds 211, outside 0..210"),
        ({"input_ids": np.array([-1, 3])}, "input_ids holds -1"),
        ({"token_type_ids": np.array([0, 2])}, "token_type_ids holds 2"),
        ({"positions": np.array([0, 47])}, "positions holds 47, outside 0..46; truncate the texts with max_length"),
    ],
)
def test_ids_outside_the_tables_are_refused(change: dict[str, np.ndarray], words: str) -> None:
    arrays = {"input_ids": np.array([2, 3]), "token_type_ids": np.zeros(2, int), "positions": np.arange(2)}
    with pytest.raises(UsageError, match=words):
        Encoder(TINY)(Batch(**{**arrays, **change}, lengths=np.array([2])))


def test_nothing_to_encode_is_refused() -> None:
    with pytest.raises(UsageError, match="batch is empty"):
        Encoder(TINY)(Batch.pack([]))
    with pytest.raises(UsageError, match="takes a batch, or input_ids"):
        Encoder(TINY)()
    with pytest.raises(UsageError, match="all zeros"):
        Encoder(TINY)(input_ids=torch.tensor([[2, 3]]), attention_mask=torch.tensor([[0, 0]]))


def test_training_in_bf16_stays_near_fp32() -> None:
    torch.manual_seed(0)
    encoder = Encoder(replace(TINY, hidden_size=64, num_attention_heads=2, intermediate_size=128))
    batch = Batch.from_padded(*ragged(TINY, [23, 7, 11, 22]).values())
    gradients = []
    for enabled in (False, True):
        encoder.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            output = encoder(batch)
        output.pooled_output.float().square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        if gradient.norm() > 1e-4:
            similarity = torch.cosine_similarity(gradient.flatten(), gradients[1][name].flatten(), dim=0)
            assert similarity > 0.97, (name, similarity)


transformers = pytest.importorskip("transformers")
SHAPES = list(itertools.product(["gelu_new", "gelu", "relu"], [1, 2], [1, 2]))


def their_model(config: AlbertConfig, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    theirs = transformers.AlbertForPreTraining(transformers.AlbertConfig(**config.to_dict())).eval()
    for parameter in theirs.parameters():  # their start is near the identity: move every weight
        torch.nn.init.normal_(parameter, std=0.2 if parameter.dim() > 1 else 0.1)
    return theirs


def compare_through_encode(config: AlbertConfig, folder: Path, *, lengths: list[int], tolerance: float) -> None:
    theirs = their_model(config, seed=7)
    theirs.save_pretrained(folder / "model")
    arrays = ragged(config, lengths)
    np.savez(folder / "in.npz", **arrays)
    command = ["encode", str(folder / "model"), "--input", str(folder / "in.npz"), "--output", str(folder / "out.npz")]
    result = CliRunner().invoke(group, command)
    assert result.exit_code == 0, result.output
    with np.load(folder / "out.npz") as archive:
        ours = dict(archive)
    inputs = dict(
        zip(("input_ids", "attention_mask", "token_type_ids"), map(torch.from_numpy, arrays.values()), strict=True)
    )
    with torch.no_grad():
        body, heads = theirs.albert(**inputs), theirs(**inputs)
    kept = arrays["input_mask"].astype(bool)
    for name, expected, where in (
        ("sequence_output", body.last_hidden_state, kept),
        ("pooled_output", body.pooler_output, slice(None)),
        ("mlm_logits", heads.prediction_logits, kept),
        ("sop_logits", heads.sop_logits, slice(None)),
    ):
        np.testing.assert_allclose(ours[name][where], expected.numpy()[where], atol=tolerance, rtol=0, err_msg=name)
    assert not ours["sequence_output"][~kept].any()


@pytest.mark.parametrize("activation,groups,inner", SHAPES)
def test_equals_transformers_at_small_sizes(activation: str, groups: int, inner: int, tmp_path: Path) -> None:
    config = replace(TINY, hidden_act=activation, num_hidden_groups=groups, inner_group_num=inner)
    compare_through_encode(config, tmp_path, lengths=[23, 7, 11, 22], tolerance=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "relu"])
def test_equals_transformers_at_base_size(activation: str, tmp_path: Path) -> None:
    config = replace(PUBLISHED["albert-base-v2"], hidden_act=activation)
    theirs = their_model(config, seed=3)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    compare_through_encode(config, tmp_path, lengths=[61, 13, 37], tolerance=1e-4)


def test_output_type() -> None:
    assert isinstance(Encoder(TINY)(Batch.from_padded(*ragged(TINY, [5]).values())), EncoderOutput)


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "run again"])
@pytest.mark.parametrize("inner", [1, 2])
def test_the_first_tokens_alone_give_the_same_gradients(inner: int, checkpointing: bool, bf16: bool) -> None:
    config = replace(TINY, inner_group_num=inner, num_hidden_groups=2, num_hidden_layers=4)
    torch.manual_seed(0)
    encoder = Encoder(config).double().train() if not bf16 else Encoder(config).train()
    encoder.gradient_checkpointing = checkpointing
    rows = ragged(config, [7, 3, 7, 12])
    batch = Batch.from_padded(rows["input_ids"], rows["input_mask"], rows["segment_ids"])
    starts = torch.from_numpy(batch.starts)

    def run(*, first_only: bool) -> list[torch.Tensor]:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            output = encoder(batch, first_only=first_only)
        states = output.sequence_output if first_only else output.sequence_output[starts]
        assert output.lengths.tolist() == ([1] * 4 if first_only else [7, 3, 7, 12])
        loss = (states.sin().sum() + output.pooled_output.cos().sum()).to(states.dtype)
        parameters = list(encoder.parameters())
        return [states, output.pooled_output, *torch.autograd.grad(loss, parameters)]

    for found, wanted in zip(run(first_only=True), run(first_only=False), strict=True):
        tolerance = 0.03 * float(wanted.detach().abs().max()) if bf16 else 1e-10
        torch.testing.assert_close(found, wanted, rtol=0, atol=tolerance)
