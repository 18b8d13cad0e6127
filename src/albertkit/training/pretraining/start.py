"""An informed start: fresh weights that know already what a masked language model takes longest to find.

From random weights the loss rests for millions of tokens on what piece frequencies give; then the network finds
that neighbours matter. Nothing in the architecture hinders saying so at the start:

- the bias of the masked-piece head is the log frequency of each piece;
- word embeddings are vectors from co-occurrence (`cooccurrence.py`), in the first three quarters of the width E;
- position embeddings are sines and cosines in the last quarter, so that a rotation of them looks one place on;
- queries and keys hold such rotations: head 0 looks at the token before, head 1 at the one after, then two places
  before, two after, and so on; content can join in, from small random weights;
- each head writes what it finds into rows of the hidden width that the embeddings leave free.

All of it is trained on like any other weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from albertkit.data.corpus.shards import Corpus
from albertkit.data.pretraining.stream import Documents
from albertkit.encoder.encoder import initialize
from albertkit.errors import UsageError
from albertkit.io.progress import Progress, counted
from albertkit.tasks.network import Network
from albertkit.text.vocabulary import SPECIALS
from albertkit.training.pretraining.cooccurrence import word_vectors

STARTS = ("informed", "random")
WORD_NORM = 0.6
"""Length of a word's vector: logits that differ by some units, as the tied head wants."""
POSITION_SHARE = 0.6
"""Length of a position's vector, in that of a word's."""
SHARPNESS = 2.0
"""Amplitude of queries and keys per frequency: a head gives more than half its weight to the place that it looks at."""
FREQUENCIES = (2.5, 0.01)
"""Radians per token of the first and last wave: neighbours differ, and so do places some hundred tokens apart."""
COUNTED_TOKENS = 20_000_000
"""Tokens of the corpus that frequencies and vectors are counted on, at most."""


def begin(
    network: Network, corpus: Corpus, documents: npt.NDArray[np.int64], *, init: str, seed: int, progress: Progress
) -> None:
    """Fill every weight, and say what was counted for it.

    Args:
        network: with the masked-piece head.
        corpus: its tokens are counted for an informed start.
        documents: numbers of those that are trained on.
        init: one of `STARTS`.
        seed: the random seed.
        progress: gets the progress reports.
    """
    fresh_weights(network, seed=seed)
    if init == "random":
        return
    expected = min(COUNTED_TOKENS, int(corpus.document_lengths[documents].sum()))
    with progress.bar("counting which pieces occur together", total=expected) as advance:
        counted_tokens = informed_start(
            network, corpus, documents, num_specials=len(SPECIALS), seed=seed, progress=counted(advance)
        )
    progress.report(f"informed start: {counted_tokens:,} tokens counted")


def fresh_weights(network: Network, *, seed: int) -> None:
    """Fill every weight as Google's code does: a truncated normal of the configuration's deviation, zero biases."""
    torch.manual_seed(seed)
    deviation = network.config.initializer_range
    network.apply(lambda module: initialize(module, standard_deviation=deviation))


def informed_start(
    network: Network,
    corpus: Documents,
    documents: npt.NDArray[np.int64],
    *,
    num_specials: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Overwrite fresh weights with what counting says; return how many tokens were counted.

    Args:
        network: with the head `mlm`.
        corpus: where the documents are.
        documents: numbers of those that may be read.
        num_specials: ids below are special pieces, which never occur in text.
        seed: random seed of the sample of documents and the random directions.
        progress: called with the number of tokens that were just counted.

    Raises:
        UsageError: heads too narrow to hold a rotation of positions, embeddings wider than the layers.
        DataError: the text is too short to count.
    """
    config = network.config
    places = min(config.embedding_size // 4, config.hidden_size // config.num_attention_heads) // 2 * 2
    if places < 2:
        raise UsageError("this network's attention heads are too narrow for --init from counts; use --init random")
    if config.embedding_size > config.hidden_size:
        raise UsageError(
            f"embeddings of {config.embedding_size} are wider than the layers' {config.hidden_size}: "
            "an informed start writes them into the layers as they are; use --init random"
        )
    random = np.random.default_rng(seed)
    texts, tokens = _sample(corpus, documents, random)
    counts = np.zeros(config.vocab_size)
    for text in texts:
        counts += np.bincount(text, minlength=config.vocab_size)
    width = config.embedding_size - places
    vectors = word_vectors(
        texts, vocab_size=config.vocab_size, dimensions=min(width, config.vocab_size), seed=seed, progress=progress
    )
    torch.manual_seed(seed)
    with torch.no_grad():
        _write_words(network, vectors, counts, num_specials=num_specials)
        frequencies = np.geomspace(*FREQUENCIES, places // 2)
        _write_positions(network, frequencies, width=width)
        for group in network.encoder.groups:
            for layer in group.layers:  # type: ignore[union-attr]
                _write_attention(layer.attention, frequencies, width=width, config=config)
    return tokens


def _sample(
    corpus: Documents, documents: npt.NDArray[np.int64], random: np.random.Generator
) -> tuple[list[npt.NDArray[Any]], int]:
    texts, tokens = [], 0
    for number in random.permutation(documents):
        texts.append(corpus.document(int(number)).tokens)
        tokens += len(texts[-1])
        if tokens >= COUNTED_TOKENS:
            break
    return texts, tokens


def _write_words(
    network: Network,
    vectors: npt.NDArray[np.float32],
    counts: npt.NDArray[np.float64],
    *,
    num_specials: int,
) -> None:
    frequencies = (counts + 0.5) / (counts + 0.5).sum()
    network.mlm_head.bias.copy_(torch.from_numpy(np.log(frequencies)))
    table = network.encoder.embeddings.word.weight
    # Singular directions fall off in size; turned at random, every dimension carries as much.
    turn = _orthogonal(vectors.shape[1], vectors.shape[1])
    rows = torch.from_numpy(vectors) @ turn
    rows = WORD_NORM * rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-6)
    never = (torch.from_numpy(counts) == 0) | (torch.arange(len(counts)) < num_specials)
    rows[never] = torch.randn(int(never.sum()), rows.shape[1]) * WORD_NORM / math.sqrt(rows.shape[1])
    table.zero_()
    table[:, : rows.shape[1]] = rows


def _write_positions(network: Network, frequencies: npt.NDArray[np.float64], *, width: int) -> None:
    embeddings = network.encoder.embeddings
    table = embeddings.position.weight
    angles = np.arange(len(table))[:, None] * frequencies
    waves = np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(table), -1)
    amplitude = WORD_NORM * POSITION_SHARE / math.sqrt(len(frequencies))
    table.zero_()
    table[:, width:] = torch.from_numpy(waves * amplitude)
    projection = embeddings.projection
    if isinstance(projection, torch.nn.Linear):  # the hidden states begin with the embeddings as they are
        projection.weight.zero_()
        rows = min(projection.weight.shape)
        projection.weight[:rows, :rows] = torch.eye(rows)


def _write_attention(attention: Any, frequencies: npt.NDArray[np.float64], *, width: int, config: Any) -> None:
    heads, places = config.num_attention_heads, 2 * len(frequencies)
    size = config.hidden_size // heads
    # After the embeddings' normalization a position's pair of waves has this length.
    share = POSITION_SHARE / math.sqrt(1 + POSITION_SHARE**2)
    amplitude = math.sqrt(config.embedding_size) * share / math.sqrt(len(frequencies))
    gain = SHARPNESS / amplitude * (size / 64) ** 0.25 * (16 / len(frequencies)) ** 0.5
    free = config.hidden_size - config.embedding_size
    written = min(free // heads, size) if free else 0
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        place = slice(head * size, head * size + places)
        offset = (head // 2 + 1) * (-1 if head % 2 == 0 else 1)
        for weight, turned in ((attention.query.weight, offset), (attention.key.weight, 0)):
            weight[place] = 0
            weight[place, width : width + places] = gain * _rotation(frequencies * turned)
        attention.value.weight[rows, :width] = _orthogonal(size, width)
        if written:
            target = slice(config.embedding_size + head * written, config.embedding_size + (head + 1) * written)
            attention.output.weight[target, rows] = _orthogonal(written, size)


def _rotation(angles: npt.NDArray[np.float64]) -> Tensor:
    """Return a matrix `[2n, 2n]` that turns each pair of rows by its angle."""
    blocks = [torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) for a in angles.tolist()]
    matrix: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return matrix


def _orthogonal(rows: int, columns: int) -> Tensor:
    return torch.nn.init.orthogonal_(torch.empty(rows, columns))
