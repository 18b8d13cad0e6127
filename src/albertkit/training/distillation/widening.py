"""Widen a checkpoint: more dimensions for its word embeddings, and a path that takes them unchanged to the last layer.

The mean of an encoder's last hidden states is near the teacher's vector of a text if it holds the mean of the teacher's
vectors of the pieces. A checkpoint's word embeddings hold little of these, and its layers pass on what they know
already. So the word embeddings get N more dimensions, filled with principal components of the teacher's vectors of
single pieces. The layers are edited to pass them on, and the rest of the network learns as little as possible of it.

Letters: hidden H, embedding E, extra dimensions N, feed-forward units I. The content c `[N]` of a token is the extra
part of its normalized embedding. D `[H, N]` has orthonormal columns, the directions in which hidden states carry it: a
state is D c and the rest, which is orthogonal to D.

- The projection of the embeddings writes D c. It, the attention and the feed-forward lose what they wrote along D.
- A normalization subtracts the mean, multiplies with s (1 / the token's standard deviation) and the gains g, and adds
  b. The columns of D sum to 0, so the mean does not touch c. After the attention's normalization the state h holds
  s1 g1 * D c, and (D / g1)^T (h - b1) = s1 c reads it.
- Feed-forward units in pairs copy their input: gelu(x) - gelu(-x) = x, and relu alike. 2N units compute
  r = (D / g1)^T (h - b1) / (s1 s2) - (g2 * D)^T h and add (D / g2) r. The columns of g2 * D sum to 0, too, so the
  second normalization gives D^T state = s2 (g2 * D)^T (h + (D / g2) r) = s2 s1 c / (s1 s2) = c: what came in comes
  out. s1 and s2 differ between tokens; the weights hold their means, so c is scaled a little.
- All that reads hidden states (attention, other units, masked words, pooler) ignores D: of the linear maps W with
  W D = 0 it gets the one whose output differs least on texts.
- The content makes states longer, so s1 and s2 are smaller than before. The gains grow until the rest has its old size.

D are the directions that the checkpoint uses least; the 2N units are those whose output varies least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from albertkit.batching.batch import Batch
from albertkit.config import AlbertConfig
from albertkit.encoder.encoder import Encoder
from albertkit.encoder.layer import Layer
from albertkit.errors import UsageError
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.training.distillation.batches import DistillBatches
from albertkit.training.distillation.moments import LayerMoments, Moments, double, layers_of, measure
from albertkit.training.distillation.student import FREQUENT, piece_frequencies, piece_texts, principal_components

SHARE = 3 / 8
"""Of the hidden size: how many dimensions are added when nobody says. 96 for albert-nano. There, before any training,
64 give a mean cosine of 0.56 to the teacher and 23 % of masked words, 96 give 0.60 and 19 %."""
AMPLITUDE = 0.4
"""Length of the projection's columns along D. More keeps the content better and disturbs the rest more: measured with
0.4 for 96 dimensions and 0.5 for 64 on albert-nano."""
GAIN_PENALTY = 0.06
"""Of directions along which the second normalization's gains are small: the path would need large weights there."""
READ_SHARE = 0.3
"""Weight of the variance before the attention's normalization in the choice of D, next to 1 of hidden states."""
UNIT_LENGTH = 2.0
"""Length of the weights into a unit of the path; those out of it are divided by as much."""
TEXTS = 256
"""Training texts on which the checkpoint is measured, at most."""
GENTLE_RATE = 2e-4
"""Up to this learning rate nobody is warned. After 100,000 tokens on albert-nano, layers at 1e-4 kept a cosine of 0.55
to the teacher, of 0.60 before training; layers at 2.5e-4 and the rest at 5e-4 or more, 0.47."""
ROUNDS = 3
"""Times that the gains are fitted; each changes what the next layers get."""


def extra_dimensions(config: AlbertConfig, dimensions: int, *, teacher: str, wanted: int | None) -> int:
    """Return how many dimensions to add to a student's word embeddings.

    >>> config = AlbertConfig(embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024)
    >>> extra_dimensions(config, 384, teacher="t", wanted=None)
    96

    Args:
        config: configuration of the student.
        dimensions: dimensions of the teacher's vectors.
        teacher: its name, for messages.
        wanted: what the user asked for; None: `SHARE` of the hidden size, and no more than there can be.

    Raises:
        UsageError: the student cannot be widened, or not by as many.
    """
    if not config.has_projection:
        raise UsageError(
            f"the student's word embeddings are as wide as its layers ({config.hidden_size}) and not projected, so "
            "--start widen has nothing to write them with; pass --start teacher or --start keep"
        )
    layers = config.num_hidden_groups * config.inner_group_num
    limits = {
        f"{teacher} has vectors of {dimensions} dimensions": dimensions,
        f"each takes 2 of the student's {config.intermediate_size} feed-forward units": config.intermediate_size // 2,
        f"hidden states have {config.hidden_size} dimensions": config.hidden_size - 1 - layers,
    }
    reason, most = min(limits.items(), key=lambda limit: limit[1])
    if wanted is None:
        wanted = max(1, min(round(SHARE * config.hidden_size), most))
    if wanted > most:
        raise UsageError(f"extra-dimensions is {wanted}; the student can have at most {most}: {reason}")
    if config.embedding_size + wanted == config.hidden_size and not config.project_equal_widths:
        raise UsageError(
            f"extra-dimensions is {wanted}, which makes the word embeddings as wide as the layers "
            f"({config.hidden_size}), and ALBERT has no projection between equal widths; pass --extra-dimensions "
            f"{wanted - 1 or wanted + 1}"
        )
    return wanted


def notes_on_rate(learning_rate: float) -> tuple[str, ...]:
    """Return a warning where a learning rate is known to undo the path faster than it learns.

    >>> notes_on_rate(1e-4)
    ()
    """
    if learning_rate <= GENTLE_RATE:
        return ()
    return (
        f"a learning rate of {learning_rate:g} soon undoes the effect of --start widen; use --learning-rate 1e-4 "
        "--word-rate 5 --relation-weight 0",
    )


def widened(network: Network, extra: int) -> Network:
    """Return a copy whose word embeddings have more dimensions, all of them 0, for `begin_with_path` to fill.

    The transform of masked words grows with them. Its new rows are copies of old ones, so that its normalization finds
    about the same mean and variance, and their gains are 0: nothing of them reaches the logits before training.

    Args:
        network: network of a checkpoint.
        extra: N, how many.
    """
    config = replace(network.config, embedding_size=network.config.embedding_size + extra)
    wide = Network(Encoder(config), pretraining_heads(config, tuple(network.heads)))
    old = network.state_dict()
    with torch.no_grad():
        for name, tensor in wide.state_dict().items():
            tensor.zero_()
            tensor[tuple(slice(size) for size in old[name].shape)] = old[name]
        size = network.config.embedding_size
        wide.encoder.embeddings.norm.weight[size:] = 1
        if "mlm" in wide.heads:
            dense = wide.mlm_head.dense
            copied = torch.arange(extra) * size // extra if extra < size else torch.arange(extra) % size
            dense.weight[size:], dense.bias[size:] = dense.weight[copied], dense.bias[copied]
    return wide


def begin_with_path(
    network: Network,
    tokenizer: AnyTokenizer,
    plain: DistillBatches,
    *,
    checkpoint: Network,
    vectors: Callable[[list[str]], npt.NDArray[np.float16]],
) -> None:
    """Fill the new dimensions with the teacher's vectors of single pieces, and build the path that carries them.

    A piece's extra part varies as much as its own embedding, times FREQUENT / (FREQUENT + frequency).

    Args:
        network: what `widened` returned.
        tokenizer: tokenizer of the student.
        plain: texts to train on, without masks.
        checkpoint: what `widened` was given, on the device of `network`.
        vectors: texts -> the teacher's vectors `[texts, dimensions]`.
    """
    size = checkpoint.config.embedding_size
    extra = network.config.embedding_size - size
    ids, pieces = piece_texts(tokenizer)
    rows = principal_components(vectors(pieces).astype(np.float64), size=extra)
    own = double(checkpoint.encoder.embeddings.word.weight)[ids].std(1, correction=0, keepdim=True).numpy()
    rows *= own / np.maximum(np.sqrt((rows**2).mean(axis=1, keepdims=True)), 1e-12)
    rows *= FREQUENT / (FREQUENT + piece_frequencies(plain.texts, network.config.vocab_size)[ids][:, None])
    batches = [batch.batch for batch, _ in plain.first(TEXTS).in_order()]
    before, last = measure(checkpoint, batches)
    directions = _unused_directions(checkpoint, before, last, size=extra)
    with torch.no_grad():
        embeddings = network.encoder.embeddings
        table = embeddings.word.weight
        table[torch.from_numpy(ids), size:] = torch.from_numpy(rows).to(table)
        assert isinstance(embeddings.projection, nn.Linear)
        _write_nothing(embeddings.projection, directions)
        embeddings.projection.weight[:, size:] = (AMPLITUDE * directions).to(table)
        for layer, found in zip(layers_of(network), before, strict=True):
            _pass_on(layer, found, directions)
        readers = [network.encoder.pooler, *([network.mlm_head.dense] if "mlm" in network.heads else [])]
        for reader in readers:
            _read_nothing(reader, last, directions)
        _restore_sizes(network, checkpoint, before, batches)


def _gains(norm: nn.LayerNorm) -> Tensor:
    """Return the gains, kept away from 0: the path divides by them."""
    gains = double(norm.weight)
    least = 0.01 * gains.abs().mean()
    return torch.where(gains < 0, -1.0, 1.0) * gains.abs().clamp_min(least)


def _unused_directions(network: Network, layers: list[LayerMoments], last: Moments, *, size: int) -> Tensor:
    """Return D `[H, size]`: orthonormal, orthogonal to ones and to the second gains, and little used by all layers."""
    gains = [(_gains(layer.attention.norm), _gains(layer.ffn.norm)) for layer in layers_of(network)]
    tokens = sum(found.inputs.count for found in layers)
    used = last.covariance * (last.count / (tokens + last.count))
    for (first, second), found in zip(gains, layers, strict=True):
        before, after = found.mean_scales
        share = found.inputs.count / tokens
        used += found.inputs.covariance * (found.inputs.count / (tokens + last.count))
        attended = found.attended.covariance * share
        used += READ_SHARE * attended / torch.outer(first, first) / before**2
        used += attended * torch.outer(second, second) * after**2  # what the second normalization moves to D
        used += GAIN_PENALTY * share * torch.diag((second * after) ** -2)
    excluded = torch.stack([torch.ones(len(used), dtype=torch.float64), *(second for _, second in gains)], dim=1)
    basis = torch.linalg.qr(excluded, mode="complete").Q[:, excluded.shape[1] :]
    _, vectors = torch.linalg.eigh(basis.T @ used @ basis)  # by rising use
    directions: Tensor = basis @ vectors[:, :size]
    return directions


def _write_nothing(linear: nn.Linear, along: Tensor, read: Tensor | None = None) -> None:
    """Remove from a linear map's output the part along some columns `[H, N]`.

    Args:
        linear: the map, changed in place.
        along: the columns.
        read: what finds the part in the output: read^T along is the identity; default: the same columns.
    """
    read = along if read is None else read
    for tensor in (linear.weight, linear.bias):
        found = double(tensor)
        tensor.copy_(found - along @ (read.T @ found))


def _read_nothing(linear: nn.Linear, inputs: Moments, directions: Tensor) -> None:
    """Make a linear map W ignore directions D: of those with W D = 0, take that whose output differs least.

    With the covariance S of its inputs, this is W - W D (D^T S^-1 D)^-1 D^T S^-1.
    """
    covariance = inputs.covariance
    ridge = 1e-5 * covariance.diagonal().mean()
    inverse = torch.linalg.inv(covariance + ridge * torch.eye(len(covariance), dtype=torch.float64))
    weight = double(linear.weight)
    lost = weight @ directions @ torch.linalg.solve(directions.T @ inverse @ directions, directions.T @ inverse)
    linear.weight.copy_(weight - lost)
    linear.bias.copy_(double(linear.bias) + lost @ inputs.mean)


def _pass_on(layer: Layer, found: LayerMoments, directions: Tensor) -> None:
    """Edit a layer so that its output holds along D what its input holds there, and nothing else."""
    attention, ffn = layer.attention, layer.ffn
    first, second = _gains(attention.norm)[:, None], _gains(ffn.norm)[:, None]
    written, heard = directions / second, second * directions
    for reader in (attention.query, attention.key, attention.value):
        _read_nothing(reader, found.inputs, directions)
    _read_nothing(ffn.up, found.attended, first * directions)
    _write_nothing(attention.output, directions)
    size = directions.shape[1]
    down = double(ffn.down.weight)
    given_up = (found.unit_variances * down.square().sum(0)).argsort(stable=True)[: 2 * size]
    ffn.down.bias.add_((down[:, given_up] @ found.unit_means[given_up]).to(ffn.down.bias))
    _write_nothing(ffn.down, written, heard)
    reads = (directions / first).T / found.mean_scales.prod()  # N H
    offsets = -reads @ double(attention.norm.bias)
    reads = reads - heard.T
    lengths = UNIT_LENGTH / reads.norm(dim=1, keepdim=True).clamp_min(1e-12)
    for units, sign in ((given_up[:size], 1), (given_up[size:], -1)):
        ffn.up.weight[units] = (sign * lengths * reads).to(ffn.up.weight)
        ffn.up.bias[units] = (sign * lengths[:, 0] * offsets).to(ffn.up.bias)
        ffn.down.weight[:, units] = (sign * written / lengths[:, 0]).to(ffn.down.weight)
    bias = double(ffn.norm.bias)
    ffn.norm.bias.copy_(bias - directions @ (directions.T @ bias))


def _restore_sizes(network: Network, checkpoint: Network, before: list[LayerMoments], batches: list[Batch]) -> None:
    """Raise the gains by as much as the content lowers the scales of the normalizations."""
    for _ in range(ROUNDS):
        now, _ = measure(network, batches, only_scales=True)
        for layer, old, was, found in zip(layers_of(network), layers_of(checkpoint), before, now, strict=True):
            norms = (layer.attention.norm, old.attention.norm), (layer.ffn.norm, old.ffn.norm)
            for (norm, original), factor in zip(norms, was.mean_scales / found.mean_scales, strict=True):
                norm.weight.copy_(original.weight * float(factor))
