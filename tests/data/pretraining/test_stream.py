"""The endless stream: each token once an epoch, the same from any position, also where there is hardly any text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from tests.data.pretraining.memory_corpus import CLS, FIRST, SEP, MemoryCorpus, random_corpus, rule

from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.data.pretraining.google_stream import GoogleStream
from albertkit.data.pretraining.stream import (
    POOL_BATCHES,
    InstanceStream,
    PendingBatch,
    Position,
    held_out_documents,
)
from albertkit.errors import UsageError

KINDS = [InstanceStream, GoogleStream]


def stream_of(corpus: MemoryCorpus, *, kind: Any = InstanceStream, **options: Any) -> Any:
    given = {"max_length": 64, "batch_tokens": 256, "seed": 7, **options}
    return kind(corpus, corpus.numbers, rule(corpus), CLS, SEP, **given)


def epoch_of(stream: Any, epoch: int = 0) -> Iterator[tuple[PendingBatch, Position]]:
    for pending, position in stream.batches(Position(epoch)):
        if position.epoch > epoch:
            return
        yield pending, position


def sequences(made: PretrainingBatch) -> Iterator[tuple[list[int], int]]:
    """The tokens of each pair before masking, in the order of the document, and whether it was swapped."""
    ids = made.batch.input_ids.copy()
    ids[made.masked_positions] = made.masked_ids
    for start, length, swapped in zip(made.batch.starts, made.batch.lengths, made.swapped, strict=True):
        row = ids[start : start + length].tolist()
        middle = row.index(SEP)
        first, second = row[1:middle], row[middle + 1 : -1]
        assert (row[0], row[-1]) == (CLS, SEP)
        yield (second + first if swapped else first + second), int(swapped)


def numbers(made: PretrainingBatch) -> list[list[int]]:
    """Everything in a batch, to compare."""
    batch = made.batch
    arrays = (batch.input_ids, batch.token_type_ids, batch.positions, batch.lengths)
    return [array.tolist() for array in (*arrays, made.masked_positions, made.masked_ids, made.swapped)]


@pytest.fixture(scope="module")
def corpus() -> MemoryCorpus:
    """Four pools of 64 batches of 256 tokens; documents of less than two tokens among them."""
    found = random_corpus(tokens=60_000, most_sentences=20)
    lengths = [np.diff(document.starts).tolist() for document in found.documents]
    return MemoryCorpus([[], [1], *lengths, [0], [1], [2]])


def test_each_token_stands_in_one_pair_of_an_epoch(corpus: MemoryCorpus) -> None:
    stream = stream_of(corpus)
    seen: list[int] = []
    swaps = []
    pools = Counter[int]()
    masked = tokens = 0
    for pending, position in epoch_of(stream):
        made = pending.build()
        assert pending.tokens == made.batch.tokens
        assert made.batch.lengths.max() <= 64
        for pair, swapped in sequences(made):
            assert np.diff(pair).tolist() == [1] * (len(pair) - 1)  # neighbours, in order
            assert len(set(corpus.owner[pair])) == 1
            seen += pair
            swaps.append(swapped)
        pools[position.pool] += 1
        masked += len(made.masked_ids)
        tokens += made.batch.tokens
    alone = [int(d.tokens[0]) for d in corpus.documents if len(d.tokens) == 1]
    assert len(alone) == 2
    assert sorted(seen + alone) == list(range(FIRST, corpus.vocab_size))
    assert np.mean(swaps) == pytest.approx(0.5, abs=4 * 0.5 / len(swaps) ** 0.5)  # four standard errors
    assert masked / tokens == pytest.approx(0.15, abs=0.003)
    assert sum(pools.values()) == pytest.approx(tokens / 256, rel=0.02)
    assert len(pools) == 4


def test_batches_of_a_pool_are_of_one_size(corpus: MemoryCorpus) -> None:
    sizes = [pending.tokens for pending, position in epoch_of(stream_of(corpus)) if position.pool == 1]
    assert len(sizes) > 50
    assert max(sizes) - min(sizes) <= 2 * 64  # each ends where a sequence does
    assert np.mean(sizes) == pytest.approx(256, rel=0.5 / len(sizes) + 0.001)


@pytest.mark.parametrize("kind", KINDS)
def test_pools_hold_each_document_once(corpus: MemoryCorpus, kind: Any) -> None:
    stream = stream_of(corpus, kind=kind)
    some = replace(stream, documents=corpus.numbers[::3])
    for each in (stream, some):
        pools = each.pools(0)
        assert sorted(number for pool in pools for number in pool) == each.documents.tolist()
        assert [pool.tolist() for pool in pools] == [pool.tolist() for pool in each.pools(0)]
        assert [pool.tolist() for pool in pools] != [pool.tolist() for pool in each.pools(1)]
    most, total = int(corpus.document_lengths.max()), int(corpus.document_lengths.sum())
    pools = stream.pools(0)
    assert len(pools) == round(total / (POOL_BATCHES * 256))
    for pool in pools:
        assert corpus.document_lengths[pool].sum() == pytest.approx(total / len(pools), abs=most)


@pytest.mark.parametrize("kind", KINDS)
def test_from_any_position_the_stream_goes_on_as_if_undisturbed(kind: Any) -> None:
    """Epochs of two pools, about 130 batches each: from the beginning, the middle, and both sides of each border."""
    small = random_corpus(tokens=15_000, seed=5, most_sentences=8)
    stream = stream_of(small, kind=kind, batch_tokens=128)
    whole = [(numbers(pending.build()), position) for pending, position in islice(stream.batches(), 240)]
    assert {position[:2] for _, position in whole} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    ends = [place for place in range(1, 240) if whole[place][1][:2] != whole[place - 1][1][:2]]
    for place in [0, 40, *ends, *[end - 1 for end in ends]]:
        again = islice(replace(stream).batches(whole[place][1]), 2)
        assert [(numbers(pending.build()), position) for pending, position in again] == whole[place + 1 : place + 3]


@pytest.mark.parametrize("kind", KINDS)
def test_epochs_and_seeds_differ(kind: Any) -> None:
    small = random_corpus(tokens=3000, seed=5)
    stream = stream_of(small, kind=kind)
    variants = [stream.batches(), stream.batches(Position(1)), replace(stream, seed=8).batches()]
    texts = []
    for variant in variants:
        made = next(variant)[0].build()
        texts.append({tuple(pair) for pair, _ in sequences(made)})
    for other in texts[1:]:  # what fits in one chunk by itself can be the same
        assert len(texts[0] & other) < 0.5 * len(texts[0])


def test_masks_differ_where_pairs_are_the_same() -> None:
    """A document of two sentences that fit gives the same pair in every epoch, in one of two orders."""
    pair = MemoryCorpus([[14, 10]])
    stream = stream_of(pair, short_share=0.0)
    made = [next(stream.batches(Position(epoch)))[0].build() for epoch in range(60)]
    whole = [one for one in made if len(one.batch) == 1]
    assert len({tuple(one.masked_positions.tolist()) for one in whole}) > len(whole) / 2
    assert {int(one.swapped[0]) for one in whole} == {0, 1}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "lengths",
    [
        [[2]],  # one document of one sentence
        [[], [0], [0, 0], [7, 0, 3], []],  # empty documents and sentences
        [[3000]],  # a sentence longer than many sequences
        [[1], [1], [2], [1]],  # documents of one word
        [[1] * 50, [40, 1], [1, 40], [6, 1, 1, 6]],
    ],
    ids=["one sentence", "empty", "long", "one word", "single tokens"],
)
@pytest.mark.parametrize("max_length", [8, 32])
def test_hardly_anything(kind: Any, lengths: list[list[int]], max_length: int) -> None:
    tiny = MemoryCorpus(lengths)
    stream = stream_of(tiny, kind=kind, max_length=max_length, batch_tokens=max_length)
    batches = list(epoch_of(stream))
    seen = set()
    for pending, _ in batches:
        made = pending.build()
        assert made.batch.lengths.max() <= max_length
        assert pending.tokens == made.batch.tokens <= 2 * max_length + 3  # one pool: the number of batches is rounded
        assert (made.masked_ids >= FIRST).all()
        seen |= {token for pair, _ in sequences(made) for token in pair}
    if kind is InstanceStream:
        wanted = [document.tokens.tolist() for document in tiny.documents if len(document.tokens) > 1]
        assert seen == {token for tokens in wanted for token in tokens}
    following = next(stream.batches(batches[-1][1]))
    assert following[1].epoch == 1
    assert numbers(following[0].build()) == numbers(next(stream.batches(Position(1)))[0].build())


def test_a_position_behind_the_last_pool_is_the_next_epoch() -> None:
    """Where a stage ends in an epoch's last pool, the next one begins there."""
    stream = stream_of(random_corpus(tokens=3000))
    assert len(stream.pools(0)) == 1
    assert next(stream.batches(Position(0, 1, 0)))[1] == Position(1, 0, 1)


@pytest.mark.parametrize("kind,lengths", [(InstanceStream, [[1], [], [1, 0]]), (GoogleStream, [[], [0]])])
def test_no_text_at_all(kind: Any, lengths: list[list[int]]) -> None:
    stream = stream_of(MemoryCorpus(lengths), kind=kind)
    with pytest.raises(UsageError, match="the documents have no two adjacent words: there is nothing to pretrain on"):
        next(stream.batches())


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be(kind: Any) -> None:
    stream = stream_of(random_corpus(tokens=100), kind=kind)
    with pytest.raises(UsageError, match="--batch-tokens 32 is less than one sequence of 64 tokens; give more, or"):
        replace(stream, batch_tokens=32)
    with pytest.raises(UsageError, match="no documents to read"):
        replace(stream, documents=np.zeros(0, np.int64))
    with pytest.raises(UsageError, match="no room for two segments"):
        next(replace(stream, max_length=4).batches())


def test_held_out_documents_are_never_trained_on() -> None:
    for count, share, expected in ((1000, 0.01, 10), (2, 0.01, 1), (3, 0.5, 2), (150, 0.01, 2)):
        train, held_out = held_out_documents(count, share=share, seed=1)
        assert len(held_out) == expected
        assert sorted([*train, *held_out]) == list(range(count))
        assert (np.diff(train) > 0).all()
        assert (np.diff(held_out) > 0).all()
    seeds = {tuple(held_out_documents(1000, share=0.01, seed=seed)[1]) for seed in (1, 2, 1)}
    assert len(seeds) == 2
    train, held_out = held_out_documents(5, share=0, seed=1)
    assert (len(train), len(held_out)) == (5, 0)


def test_what_cannot_be_held_out() -> None:
    for share in (-0.1, 1.0):
        with pytest.raises(UsageError, match=f"the held-out share is {share}; it must be from 0 to 1"):
            held_out_documents(10, share=share, seed=1)
    with pytest.raises(UsageError, match=r"1 document cannot be divided .* or --held-out 0"):
        held_out_documents(1, share=0.01, seed=1)
