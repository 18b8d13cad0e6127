"""Build a student: its network and heads, and word embeddings from the teacher's vectors of single pieces."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from albertkit.checkpoints.dense import Dense
from albertkit.config import AlbertConfig
from albertkit.errors import UsageError
from albertkit.models.loaded import EmbeddingSpec, Model
from albertkit.models.pretrained import fresh_model, load_model
from albertkit.tasks.network import Network
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.tokenizer import with_sentencepiece
from albertkit.training.distillation.settings import DistillSettings
from albertkit.training.distillation.texts import Texts
from albertkit.training.starting import HEADS, config_of, with_pretraining_heads

WORD_NORM = 10.0
"""Mean length of a word's vector, far longer than those of positions and segments. The normalized sum of the three is
then the word's own, and the first steps of AdamW, which are of one size for all weights, do not erase it."""
FREQUENT = 1e-3
"""A piece of frequency f is weighted by FREQUENT / (FREQUENT + f) (Arora et al., 2017, section 3)."""


def starting_student(settings: DistillSettings) -> Model:
    """Return the student with the heads that are trained, and no task.

    Its vector is the mean, with the linear map that a distilled checkpoint has of it.

    Raises:
        UsageError, CheckpointError, ConfigError: the model or configuration cannot be used, or has no tokenizer.
    """
    heads = HEADS if settings.pretraining else ()
    if settings.config is not None:
        model = fresh_model(config_of(settings.config), seed=settings.seed, heads=heads)
    else:
        assert settings.model is not None  # the settings have one of the two
        model = load_model(settings.model)
        network, notes = with_pretraining_heads(model, heads, seed=settings.seed)
        left = [name for name in model.network.heads if name not in heads]
        if left:
            hint = "" if settings.pretraining else "; --pretraining trains masked words and sentence order, too"
            notes = (*notes, f"the head {' and '.join(left)} of {settings.model} is left out{hint}")
        model = replace(model, network_or_export=network, task=None, labels=(), notes=(*model.notes, *notes))
    model = replace(model, embedding=EmbeddingSpec("mean", dense=_map_of_the_mean(model)))
    if settings.pretraining:
        with_sentencepiece(model.tokenizer)
    positions = model.config.max_position_embeddings
    if settings.max_length > positions:
        raise UsageError(f"max-length is {settings.max_length}, and the student has {positions} positions")
    return model


def _map_of_the_mean(model: Model) -> Dense | None:
    dense = None if model.embedding is None else model.embedding.dense_after("mean")
    return dense if dense is not None and dense.activation == "identity" else None


def piece_texts(tokenizer: AnyTokenizer) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the ids of the pieces that are text, and what a teacher reads of each.

    >>> from albertkit.text.tokenizer import Tokenizer
    >>> ids, texts = piece_texts(Tokenizer.official())
    >>> texts[list(ids).index(48)], 2 in ids
    ('this', False)
    """
    special = {tokenizer.special_id(piece) for piece in tokenizer.specials}
    found = [
        (number, piece.replace("\u2581", " ").removeprefix("##").strip())
        for number, piece in enumerate(tokenizer.all_pieces)
        if number not in special
    ]
    kept = [(number, text) for number, text in found if text]
    return np.array([number for number, _ in kept], np.int64), [text for _, text in kept]


def check_dimensions(teacher: str, dimensions: int, config: AlbertConfig) -> None:
    """Check that a teacher's vectors can fill the word embeddings.

    Raises:
        UsageError: they have fewer dimensions.
    """
    if dimensions < config.embedding_size:
        raise UsageError(
            f"{teacher} has vectors of {dimensions} dimensions, fewer than the {config.embedding_size} of the "
            "student's word embeddings; pass --start keep to begin with the student's own, or give a --config with a "
            "smaller embedding_size"
        )


def begin_with_pieces(
    network: Network,
    tokenizer: AnyTokenizer,
    texts: Texts,
    *,
    vectors: Callable[[list[str]], npt.NDArray[np.float16]],
) -> None:
    """Fill the word embeddings with the teacher's vectors of single pieces, by their principal components.

    Pieces that are no text keep what they have. Frequent pieces are shorter, and so count less against positions and
    segments: the normalization of the embeddings removes a length that all words share, but not this.

    Args:
        network: network of the student.
        tokenizer: its tokenizer.
        texts: to train on; they count how frequent each piece is.
        vectors: texts -> the teacher's vectors `[texts, dimensions]`.
    """
    ids, pieces = piece_texts(tokenizer)
    rows = principal_components(vectors(pieces).astype(np.float64), size=network.config.embedding_size)
    table = network.encoder.embeddings.word.weight
    numbers = torch.from_numpy(ids)
    rows *= WORD_NORM / max(math.sqrt(float((rows**2).sum(axis=1).mean())), 1e-12)
    rows *= FREQUENT / (FREQUENT + piece_frequencies(texts, network.config.vocab_size)[ids][:, None])
    with torch.no_grad():
        table[numbers] = torch.from_numpy(rows).to(table)
        if "mlm" in network.heads:  # its logits are products with these long vectors
            network.mlm_head.norm.weight.div_(WORD_NORM)


def piece_frequencies(texts: Texts, vocab_size: int) -> npt.NDArray[np.float64]:
    """Return each piece's share of the tokens of texts, `[vocab_size]`."""
    counts = np.zeros(vocab_size)
    for tokens in texts.tokens:
        counts += np.bincount(tokens, minlength=vocab_size)
    shares: npt.NDArray[np.float64] = counts / max(counts.sum(), 1)
    return shares


def principal_components(vectors: npt.NDArray[np.float64], *, size: int) -> npt.NDArray[np.float64]:
    """Return vectors without their mean in the `size` directions of the largest variance, `[vectors, size]`.

    >>> principal_components(np.array([[0.0, 0.0], [0.0, 4.0]]), size=1).__abs__().tolist()
    [[2.0], [2.0]]
    """
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)  # by rising variance
    largest = directions[:, ::-1][:, :size]
    # The sign of a direction is the library's choice; this makes it ours.
    signs = np.sign(largest[np.abs(largest).argmax(axis=0), np.arange(largest.shape[1])])
    found: npt.NDArray[np.float64] = centred @ (largest * np.where(signs == 0, 1, signs))
    return found
