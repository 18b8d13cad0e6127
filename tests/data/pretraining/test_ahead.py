"""Batches built ahead by other processes are the stream's own, in its order, from any place."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

import numpy as np
import pytest
from tests.data.pretraining.memory_corpus import CLS, SEP, random_corpus, rule
from tests.data.pretraining.test_stream import KINDS, numbers, stream_of

from albertkit.data.pretraining.ahead import OthersBatch, batch_workers, built_ahead
from albertkit.data.pretraining.stream import InstanceStream, Position
from albertkit.errors import RunError, UsageError


@pytest.mark.parametrize("kind", KINDS)
def test_workers_give_the_batches_of_the_stream(kind: type) -> None:
    stream = stream_of(random_corpus(tokens=6_000), kind=kind)
    start = Position(0, 0, 2)
    expected = [(numbers(pending.build()), place) for pending, place in islice(stream.batches(start), 7)]
    with closing(built_ahead(stream, start, workers=2)) as ahead:
        found = [(numbers(pending.build()), place) for pending, place in islice(ahead, 7)]
    assert found == expected


def test_each_training_process_builds_its_own_batches_only() -> None:
    stream = stream_of(random_corpus(tokens=6_000))
    expected = list(islice(stream.batches(), 6))
    with closing(built_ahead(stream, workers=2, rank=1, world=2)) as ahead:
        found = list(islice(ahead, 6))
    assert [place for _, place in found] == [place for _, place in expected]
    assert [pending.tokens for pending, _ in found] == [pending.tokens for pending, _ in expected]
    assert [isinstance(pending, OthersBatch) for pending, _ in found] == [True, False] * 3
    assert numbers(found[3][0].build()) == numbers(expected[3][0].build())
    with pytest.raises(RunError, match="another training process"):
        found[0][0].build()


def test_what_a_worker_meets_is_told_by_the_reader() -> None:
    corpus = random_corpus(tokens=500)
    empty = InstanceStream(_Emptied(corpus), corpus.numbers, rule(corpus), CLS, SEP, max_length=64, batch_tokens=256)
    with closing(built_ahead(empty, workers=1)) as ahead, pytest.raises(UsageError, match="nothing to pretrain on"):
        next(ahead)


def test_a_worker_that_was_killed_is_told() -> None:
    with closing(built_ahead(_Deadly(), workers=1)) as ahead, pytest.raises(RunError, match=r"exit code 7.*--resume"):
        next(ahead)


def test_processors_train_alone() -> None:
    assert batch_workers("cpu") == 0
    assert 1 <= batch_workers("cuda:1") <= 8


class _Emptied:
    """Documents of one token each: no pair anywhere."""

    def __init__(self, corpus: object) -> None:
        self.document_lengths = np.ones(len(corpus.document_lengths), np.int64)  # type: ignore[attr-defined]
        self._document = corpus.document(0)  # type: ignore[attr-defined]

    def document(self, number: int) -> object:
        del number
        return self._document._replace(tokens=self._document.tokens[:1], starts=np.array([0, 1]))


class _Deadly:
    def batches(self, position: Position | None = None) -> object:
        del position
        import os

        os._exit(7)
