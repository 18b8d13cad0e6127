"""What a pretraining begins with: the network and its heads, the stream that trains, the stream that scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.data.corpus.shards import Corpus
from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.data.pretraining.masking import MaskingRule, word_start_table
from albertkit.data.pretraining.stream import InstanceStream, PendingBatch, held_out_documents
from albertkit.encoder.encoder import Encoder
from albertkit.errors import DataError, UsageError
from albertkit.models.loaded import Model
from albertkit.models.pretrained import load_model
from albertkit.tasks.network import Network, pretraining_heads
from albertkit.text.directory import read_directory
from albertkit.text.tokenizer import Tokenizer, with_sentencepiece
from albertkit.training.pretraining.settings import PretrainSettings, ResolvedPretraining, resolve
from albertkit.training.pretraining.start import STARTS
from albertkit.training.starting import HEADS, config_of, with_pretraining_heads


@dataclass(frozen=True)
class PretrainingInputs:
    """What a pretraining reads, opened and checked."""

    corpus: Corpus
    model: Model
    resolved: ResolvedPretraining
    stream: InstanceStream
    """The batches that train."""
    held_out: npt.NDArray[np.int64]
    """Numbers of the documents that score."""


def open_inputs(settings: PretrainSettings, *, processes: int = 1) -> PretrainingInputs:
    """Open what the settings name; nothing is written.

    Args:
        settings: what to do.
        processes: how many train together.

    Raises:
        UsageError, DataError, CheckpointError, ConfigError: the settings, the shards or the model cannot be used.
    """
    corpus = Corpus.open(settings.data)
    if settings.init not in STARTS:
        raise UsageError(f'unknown init "{settings.init}" (known: {", ".join(STARTS)})')
    tokenizer = with_sentencepiece(read_directory(corpus.tokenizer_folder))
    if corpus.vocab_size != tokenizer.vocab_size:
        raise DataError(
            f"{settings.data}: the manifest says {corpus.vocab_size:,} pieces, the tokenizer has "
            f"{tokenizer.vocab_size:,}; run albertkit prepare again, or copy the folder again"
        )
    model = starting_model(settings, tokenizer)
    config = model.config
    train, held_out = held_out_documents(corpus.num_documents, share=settings.held_out, seed=settings.seed)
    resolved = resolve(
        settings,
        config,
        corpus_tokens=int(corpus.document_lengths[train].sum()),
        max_length=corpus.max_length,
        processes=processes,
    )
    stream = training_stream(resolved, corpus, train, tokenizer, num_positions=config.max_position_embeddings)
    return PretrainingInputs(corpus, model, resolved, stream, held_out)


def pretraining_batches(settings: PretrainSettings) -> Iterator[PretrainingBatch]:
    """Yield the batches that `pretrain` trains on with these settings, without end.

    A batch is a function of the settings: the same settings give the same texts, masks and order.

    Args:
        settings: those of the run; of its stages only the longest length counts.

    Raises:
        UsageError, DataError, CheckpointError, ConfigError: as `pretrain`.
    """
    for pending, _ in open_inputs(settings).stream.batches():
        yield pending.build()


def starting_model(settings: PretrainSettings, tokenizer: Tokenizer) -> Model:
    """Return the network to start from, with fresh heads where it has none, or one whose weights are not yet filled.

    Raises:
        UsageError, CheckpointError, ConfigError: the model or configuration cannot be used.
    """
    if settings.config is not None:
        config = replace(config_of(settings.config), vocab_size=tokenizer.vocab_size)
        return Model(Network(Encoder(config), pretraining_heads(config, HEADS)), tokenizer, source=settings.config)
    assert settings.model is not None  # the settings have one of the two
    model = load_model(settings.model)
    if model.tokenizer.model != tokenizer.model:
        raise UsageError(
            f"{settings.data} was prepared with another vocabulary than that of {settings.model}; "
            f"prepare the text again with --model {settings.model}"
        )
    network, notes = with_pretraining_heads(model, HEADS, seed=settings.seed)
    notes = (*model.notes, *notes)
    embedding = model.embedding
    if embedding is not None and embedding.dense is not None:
        embedding = replace(embedding, dense=None)
        notes = (
            *notes,
            f"the Dense map of the vectors of {settings.model} is dropped: it fits only the untrained weights",
        )
    return replace(model, network_or_export=network, task=None, labels=(), notes=notes, embedding=embedding)


def training_stream(
    resolved: ResolvedPretraining,
    corpus: Corpus,
    documents: npt.NDArray[np.int64],
    tokenizer: Tokenizer,
    *,
    num_positions: int,
) -> InstanceStream:
    """Return the batches of these documents.

    Raises:
        DataError: the documents are empty.
    """
    settings = resolved.settings
    if not int(corpus.document_lengths[documents].sum()):
        raise DataError(f"{settings.data}: no text is left to train on")
    specials = {tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id}
    return InstanceStream(
        corpus,
        documents,
        MaskingRule(
            word_start_table(tokenizer.vocabulary.pieces),
            tokenizer.mask_id,
            np.array([piece for piece in range(tokenizer.vocab_size) if piece not in specials]),
            share=settings.mlm_probability,
            max_ngram=settings.max_ngram,
        ),
        tokenizer.cls_id,
        tokenizer.sep_id,
        max_length=resolved.max_length,
        batch_tokens=settings.batch_tokens,
        short_share=settings.short_share,
        seed=settings.seed,
        num_positions=num_positions if settings.spread_positions else 0,
    )


def scoring_stream(stream: InstanceStream, documents: npt.NDArray[np.int64]) -> InstanceStream | None:
    """Return the batches of held-out documents, None when there are none.

    Always the same masks, the paper's share, no shortened sequences, so that scores of runs can be compared.
    """
    if not len(documents):
        return None
    rule = replace(stream.rule, share=0.15, max_ngram=3)
    return replace(stream, documents=documents, rule=rule, short_share=0.0, seed=0, num_positions=0)


def scored_batches(stream: InstanceStream | None, *, max_length: int, most: int | None) -> Sequence[PendingBatch]:
    """Return the batches of one pass over held-out text.

    Args:
        stream: `scoring_stream`.
        max_length: longest sequence in tokens.
        most: tokens after which no further batch is taken.
    """
    if stream is None:
        return []
    batches: list[PendingBatch] = []
    tokens = 0
    for pending, position in replace(stream, max_length=max_length).batches():
        if position.epoch or (most is not None and tokens >= most):
            break
        batches.append(pending)
        tokens += pending.tokens
    return batches


def shards_digest(corpus: Corpus) -> str:
    """Return the sha256 of what the manifest says of the files: their own sha256, and the vocabulary's."""
    said: Sequence[Any] = (corpus.manifest["tokenizer"]["sha256"], corpus.manifest["shards"])
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
