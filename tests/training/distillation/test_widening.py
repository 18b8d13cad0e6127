"""A checkpoint that gets more dimensions, and a path for them to the last layer."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny_teacher
from tests.tiny import CONFIG
from tests.tiny_pretrained import pretrained_folder
from torch import Tensor

from albertkit.batching.batch import Batch
from albertkit.config import AlbertConfig
from albertkit.datasets.text_rows import Row
from albertkit.encoder.encoder import Encoder
from albertkit.errors import UsageError
from albertkit.models.pretrained import load_model
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.tasks.pooling import pooled_features
from albertkit.text.tokenizer import Tokenizer
from albertkit.training.distillation import widening
from albertkit.training.distillation.batches import DistillBatches
from albertkit.training.distillation.distill import distill
from albertkit.training.distillation.moments import layers_of
from albertkit.training.distillation.student import piece_texts, principal_components
from albertkit.training.distillation.texts import prepare_texts
from albertkit.training.distillation.widening import begin_with_path, extra_dimensions, widened
from albertkit.training.run_folder import RunFolder

TOKENIZER = Tokenizer.official()
SIZE = CONFIG.embedding_size
WIDE = replace(CONFIG, hidden_size=48, num_hidden_layers=4, intermediate_size=40)
IDS, PIECES = piece_texts(TOKENIZER)
VECTORS = np.random.default_rng(0).standard_normal((len(PIECES), 23)).astype(np.float16)


def plain(*, count: int = 96) -> DistillBatches:
    lines = tiny_teacher.tiny_texts().read_text().splitlines()[:count]
    rows = [Row(line, "here") for line in lines]
    texts = prepare_texts(rows, TOKENIZER, max_length=32, by_sentence=False, whole=False, seed=0)
    vectors = np.zeros((len(texts), 23), np.float16)
    return DistillBatches(texts, vectors, TOKENIZER.cls_id, TOKENIZER.sep_id, batch_size=8, seed=0)


def one_batch() -> Batch:
    return next(plain().in_order())[0].batch


def checkpoint(*, groups: int = 1, activation: str = "gelu") -> Network:
    """Random weights, gains and biases."""
    torch.manual_seed(3)
    config = replace(WIDE, num_hidden_groups=groups, hidden_act=activation)
    network = Network(Encoder(config), pretraining_heads(config, ("mlm", "sop")))
    for layer in layers_of(network):
        for norm in (layer.attention.norm, layer.ffn.norm):
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
            torch.nn.init.normal_(norm.bias, std=0.1)
        for linear in (layer.attention.output, layer.ffn.up, layer.ffn.down):
            torch.nn.init.normal_(linear.bias, std=0.1)
        for linear in (layer.attention.output, layer.ffn.down):
            torch.nn.init.normal_(linear.weight, std=0.1)  # more, and all tokens become alike
    return network.eval()


def with_room(network: Network) -> Network:
    """Leave 20 of 48 dimensions and half of the feed-forward units unused; trained networks hardly use some."""
    used = WIDE.hidden_size - 20
    centre = torch.eye(used) - 1 / used
    with torch.no_grad():
        writers: list[Any] = [network.encoder.embeddings.projection]
        for layer in layers_of(network):
            writers += [layer.attention.output, layer.ffn.down, layer.attention.norm, layer.ffn.norm]
            layer.ffn.down.weight[:, ::2] = 0
            for norm, gains in ((layer.attention.norm, (1.2, 0.8)), (layer.ffn.norm, (0.7, 1.1))):
                norm.weight[:used], norm.weight[used:] = gains
        for module in writers:
            values = [module.bias] if isinstance(module, torch.nn.LayerNorm) else [module.weight, module.bias]
            for tensor in values:
                tensor[:used] = centre @ tensor[:used]  # columns that sum to 0
                tensor[used:] = 0
    return network


def with_path(network: Network, *, extra: int = SIZE) -> tuple[Network, Tensor]:
    """The widened network, and the directions of its path `[H, extra]`."""
    wide = widened(network, extra).eval()
    begin_with_path(wide, TOKENIZER, plain(), checkpoint=network, vectors=lambda _: VECTORS)
    projection = wide.encoder.embeddings.projection
    assert isinstance(projection, torch.nn.Linear)
    return wide, projection.weight[:, SIZE:].detach() / widening.AMPLITUDE


def test_new_dimensions_hold_the_teachers_components() -> None:
    network = checkpoint()
    wide, directions = with_path(network)
    before, table = (net.encoder.embeddings.word.weight.detach().numpy() for net in (network, wide))
    np.testing.assert_array_equal(table[:, :SIZE], before)
    np.testing.assert_array_equal(table[:5, SIZE:], 0)  # of special pieces
    components = principal_components(VECTORS.astype(np.float64), size=SIZE)
    texts = np.concatenate(plain().texts.tokens)
    for place in (7, list(IDS).index(texts[0])):
        row, piece = components[place], IDS[place]
        share = 1e-3 / (1e-3 + np.mean(texts == piece))
        expected = row / np.sqrt(np.mean(row**2)) * before[piece].std() * share
        np.testing.assert_allclose(table[piece, SIZE:], expected, atol=1e-6)
    torch.testing.assert_close(directions.T @ directions, torch.eye(SIZE), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("groups", "activation"), [(1, "gelu"), (2, "gelu_new"), (4, "relu")])
def test_a_layer_returns_along_the_path_what_it_was_given(groups: int, activation: str) -> None:
    network = checkpoint(groups=groups, activation=activation)
    wide, directions = with_path(network, extra=5)
    scales: list[Tensor] = []
    for layer in layers_of(wide):
        for norm in (layer.attention.norm, layer.ffn.norm):
            norm.register_forward_hook(lambda _, inputs, __: scales.append(1 / inputs[0].std(1, correction=0)))
    with torch.no_grad():
        states = wide(one_batch(), with_hidden_states=True).hidden_states
    assert states is not None
    content = [state @ directions for state in states]
    assert len(content) == WIDE.num_hidden_layers + 1
    for depth, (given, returned) in enumerate(pairwise(content)):
        # Of each token by its own scales, of which the weights hold one constant.
        factor = (returned / given).detach() / (scales[2 * depth] * scales[2 * depth + 1])[:, None]
        kept = given.abs() > 1e-2
        torch.testing.assert_close(factor[kept], factor[kept].median().expand_as(factor[kept]), atol=0, rtol=5e-3)
        assert 0.5 < float((returned / given)[kept].median()) < 2


def test_nobody_else_reads_or_writes_the_path() -> None:
    network = checkpoint()
    wide, directions = with_path(network, extra=5)
    (layer,), (before,) = layers_of(wide), layers_of(network)
    for reader in (layer.attention.query, layer.attention.key, layer.attention.value, wide.encoder.pooler):
        assert float((reader.weight @ directions).detach().abs().max()) < 1e-5
    assert float((wide.mlm_head.dense.weight @ directions).detach().abs().max()) < 1e-5
    heard = before.attention.norm.weight[:, None] * directions
    reads = (layer.ffn.up.weight @ heard).detach().abs().amax(1) > 1e-5
    assert int(reads.sum()) == 10  # the two units of each dimension
    for writer in (layer.attention.output, wide.encoder.embeddings.projection):
        assert isinstance(writer, torch.nn.Linear)
        own = writer.weight[:, :SIZE] if writer is wide.encoder.embeddings.projection else writer.weight
        assert float((directions.T @ own).detach().abs().max()) < 1e-5
        assert float((directions.T @ writer.bias).detach().abs().max()) < 1e-5
    received = directions.T @ (before.ffn.norm.weight[:, None] * layer.ffn.down.weight)
    assert float(received[:, ~reads].detach().abs().max()) < 1e-5
    assert torch.equal(wide.mlm_head.norm.weight[SIZE:], torch.zeros(5))


def test_readers_lose_as_little_as_they_can() -> None:
    network = checkpoint()
    wide, directions = with_path(network, extra=14)
    with torch.no_grad():
        states = torch.cat([network(batch.batch).sequence_output for batch, _ in plain().first(256).in_order()])
        kept = torch.linalg.qr(directions, mode="complete").Q[:, 14:]
        visible = torch.cat([states @ kept, torch.ones(len(states), 1)], dim=1).double()
        wanted = network.encoder.pooler(states).double()
        best = visible @ torch.linalg.lstsq(visible, wanted).solution
        found = wide.encoder.pooler(states).double()
    assert float((found - best).std()) < 0.25 * float((best - wanted).std())  # a ridge keeps them from being equal


def answers(network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits of masked words at every token, and of the order of every text."""
    with torch.no_grad():
        output = network(batch)
        order: Tensor = network.heads["sop"](output.pooled_output)
        return network.masked_piece_logits(output.sequence_output), order


@pytest.mark.parametrize("groups", [1, 2])
def test_without_content_the_layers_and_heads_answer_as_before(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, batch = with_room(checkpoint(groups=groups)), one_batch()
    monkeypatch.setattr(widening, "ROUNDS", 0)  # the normalization of the embeddings sees other sizes
    wide, _ = with_path(network)
    wide.encoder.embeddings.register_forward_hook(lambda _, inputs, __: network.encoder.embeddings(*inputs))
    for found, expected in zip(answers(wide, batch), answers(network, batch), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-3 * float(expected.std()), rtol=0)


@pytest.mark.parametrize("groups", [1, 2])
def test_the_mean_carries_the_content_and_masked_words_remain(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, batch = with_room(checkpoint(groups=groups)), one_batch()
    monkeypatch.setattr(widening, "FREQUENT", 1.0)  # each of the few words here is frequent
    wide, directions = with_path(network)
    words = [answers(net, batch)[0].flatten() for net in (network, wide)]
    assert np.corrcoef(words)[0, 1] > 0.9  # 0.96 and 0.99 when this was written
    with torch.no_grad():
        output = wide(batch, with_hidden_states=True)
    first, last = (
        pooled_features(replace(output, sequence_output=output.hidden_states[place]), pooling="mean") @ directions
        for place in (0, -1)
    )
    centred = [(means - means.mean(0)).flatten() for means in (first, last)]
    assert np.corrcoef(centred)[0, 1] > 0.9  # 0.95 and 0.97


@pytest.mark.parametrize(
    ("changes", "dimensions", "wanted", "message"),
    [
        ({"embedding_size": 16}, 12, 3, r"as wide as its layers \(16\) and not projected.*--start teacher or"),
        ({}, 12, 13, "extra-dimensions is 13; the student can have at most 12: t has vectors of 12 dimensions"),
        ({"intermediate_size": 7}, 12, 4, "at most 3: each takes 2 of the student's 7 feed-forward units"),
        ({}, 99, 15, "at most 14: hidden states have 16 dimensions"),
        ({"num_hidden_groups": 2}, 99, 14, "at most 13: hidden states"),
        ({}, 12, 8, r"as wide as the layers \(16\), and ALBERT has no projection .*pass --extra-dimensions 7"),
    ],
)
def test_refuses_what_cannot_be_widened(changes: dict[str, Any], dimensions: int, wanted: int, message: str) -> None:
    config = replace(CONFIG, **changes)
    with pytest.raises(UsageError, match=message):
        extra_dimensions(config, dimensions, teacher="t", wanted=wanted)


def test_the_default_is_a_share_of_the_hidden_size_and_what_can_be() -> None:
    assert extra_dimensions(CONFIG, 12, teacher="t", wanted=None) == 6
    assert extra_dimensions(CONFIG, 4, teacher="t", wanted=None) == 4
    large = AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072)
    assert extra_dimensions(large, 384, teacher="t", wanted=None) == 288
    assert extra_dimensions(replace(CONFIG, project_equal_widths=True), 12, teacher="t", wanted=8) == 8


def settings(out: Path, **changes: Any) -> Any:
    chosen = {"config": None, "model": str(pretrained_folder()), "start": "widen", "extra_dimensions": 5}
    return tiny_teacher.settings(out, **{**chosen, "pretraining": True, "steps": 4, "learning_rate": 1e-4, **changes})


def test_a_stopped_run_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    distill(settings(tmp_path / "whole"))
    model = load_model(tmp_path / "whole")
    assert model.network.config == replace(CONFIG, embedding_size=SIZE + 5)
    assert model.network.encoder.embeddings.word.weight[:, SIZE:].detach().std() > 0.01
    log = RunFolder.log

    def stop(self: RunFolder, event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 3:
            raise KeyboardInterrupt
        log(self, event)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "log", stop)
        with pytest.raises(KeyboardInterrupt):
            distill(settings(tmp_path / "stopped"))
    distill(settings(tmp_path / "stopped"), resume=True)
    for name in ("model.safetensors", "2_Dense/model.safetensors"):
        one, other = ((tmp_path / run / "model" / name).read_bytes() for run in ("whole", "stopped"))
        assert one == other


def test_a_run_says_its_dimensions_and_warns_of_a_high_rate(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    report = distill(settings(tmp_path / "run", extra_dimensions=None, pretraining=False, steps=1, learning_rate=1e-3))
    assert any("a learning rate of 0.001 soon undoes the effect of --start widen" in note for note in report.notes)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["extra_dimensions"] == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": "albert-nano", "model": None}, "start widen adds to a checkpoint: give --model"),
        ({"start": "keep"}, "extra-dimensions belongs to --start widen"),
        ({"extra_dimensions": 0}, "extra-dimensions is 0; it must be 1 or more"),
        ({"teacher": "vectors.npy"}, "holds vectors and cannot embed the student's pieces; pass --start keep"),
        ({"extra_dimensions": 13}, "extra-dimensions is 13; the student can have at most 12"),
    ],
)
def test_refuses_before_anything_is_written(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    pytest.importorskip("transformers")
    if "teacher" in changes:
        lines = tiny_teacher.tiny_texts().read_text().splitlines()
        np.save(tmp_path / "vectors.npy", np.ones((len(lines), 7), np.float32))
        changes = {"teacher": str(tmp_path / "vectors.npy")}
    with pytest.raises(UsageError, match=message):
        distill(settings(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()
