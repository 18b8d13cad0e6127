"""Google's instances as a stream: the instances of `google_instances`, in batches; test_stream.py has the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.data.pretraining.memory_corpus import CLS, MASK, SEP, MemoryCorpus, random_corpus, rule

from albertkit.data.pretraining.google_instances import GoogleMasking, google_instances
from albertkit.data.pretraining.google_stream import GoogleStream
from albertkit.data.pretraining.stream import InstanceStream, PendingBatch, Position

Row = tuple[list[int], list[int], list[int], list[int], bool]


@pytest.fixture(scope="module")
def corpus() -> MemoryCorpus:
    """Two pools of 64 batches of 128 tokens, each of many documents."""
    return random_corpus(tokens=15_000, most_sentences=8)


@pytest.fixture(scope="module")
def plain(corpus: MemoryCorpus) -> InstanceStream:
    """A stream with its own choice of everything that Google's takes over."""
    chosen = replace(rule(corpus), share=0.2, max_ngram=2)
    return InstanceStream(
        corpus, corpus.numbers, chosen, CLS, SEP, max_length=64, batch_tokens=128, short_share=0.3, num_positions=512
    )


def rows_of(pending: PendingBatch) -> list[Row]:
    """Each sequence of a batch by itself."""
    made = pending.build()
    rows: list[Row] = []
    for start, sequence, swapped in zip(made.batch.starts, made.batch, made.swapped, strict=True):
        mine = (made.masked_positions >= start) & (made.masked_positions < start + len(sequence))
        arrays = (sequence.input_ids, sequence.token_type_ids, made.masked_positions[mine] - start)
        rows.append((*[array.tolist() for array in arrays], made.masked_ids[mine].tolist(), bool(swapped)))  # type: ignore[arg-type]
    return rows


def test_the_instances_are_googles_on_the_same_documents(corpus: MemoryCorpus, plain: InstanceStream) -> None:
    stream = GoogleStream.like(plain)
    pools = stream.pools(2)
    assert len(pools) == 2
    dealt: list[list[Row]] = [[], []]
    for pending, position in stream.batches(Position(2)):
        if position.epoch == 3:
            break
        assert isinstance(pending, PendingBatch)
        assert pending.tokens == pending.build().batch.tokens
        dealt[position.pool] += rows_of(pending)
    for number, documents in enumerate(pools):
        seed = int(np.random.SeedSequence((12345, 4, 2, number)).generate_state(1, np.uint64)[0])
        wanted = google_instances(
            [np.split(corpus.documents[n].tokens, corpus.documents[n].starts[1:-1]) for n in documents],
            masking=GoogleMasking(plain.rule.word_starts, mask_id=MASK, masked_lm_prob=0.2, max_ngram=2),
            cls_id=CLS,
            sep_id=SEP,
            max_length=64,
            short_seq_prob=0.3,
            seed=seed,
        )
        rows = [
            (
                one.input_ids.tolist(),
                one.token_type_ids.tolist(),
                one.masked_positions.tolist(),
                one.masked_ids.tolist(),
                one.swapped,
            )
            for one in wanted
        ]
        assert len(rows) > 100
        assert dealt[number] != rows  # in another order
        assert sorted(dealt[number]) == sorted(rows)


def test_batches_are_packed_from_position_0_on(plain: InstanceStream) -> None:
    made = next(GoogleStream.like(plain).batches())[0].build()
    assert len(made.batch) > 1
    assert made.batch.positions[made.batch.starts].tolist() == [0] * len(made.batch)
    ids = made.batch.input_ids.copy()
    ids[made.masked_positions] = made.masked_ids
    assert ids[made.batch.starts].tolist() == [CLS] * len(made.batch)
    assert (ids == SEP).sum() == 2 * len(made.batch)
    assert made.swapped.dtype == np.int64


def test_documents_come_in_the_same_order_as_in_the_other_stream(plain: InstanceStream) -> None:
    for epoch in range(3):
        pools = zip(plain.pools(epoch), GoogleStream.like(plain).pools(epoch), strict=True)
        assert all((one == other).all() for one, other in pools)


def test_twenty_predictions_of_512_tokens_where_ours_are_77() -> None:
    corpus = random_corpus(tokens=20_000, most_sentences=120)
    plain = InstanceStream(
        corpus, corpus.numbers, rule(corpus), CLS, SEP, max_length=512, batch_tokens=2048, short_share=0.0
    )
    made = next(GoogleStream.like(plain).batches())[0].build()
    full = made.batch.lengths >= 400
    masked = np.bincount(
        np.searchsorted(np.cumsum(made.batch.lengths), made.masked_positions, side="right"), minlength=len(full)
    )
    assert full.any()
    assert set(masked[full].tolist()) == {20}
    ours = next(plain.batches())[0].build()
    assert len(ours.masked_ids) / ours.batch.tokens == pytest.approx(0.15, abs=0.02)
