"""GoogleStream: batches of instances as Google's code makes them, to compare with; the place of InstanceStream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.pretraining.batches import PretrainingBatch
from albertkit.data.pretraining.google_instances import GoogleMasking, Instance, google_instances
from albertkit.data.pretraining.stream import InstanceStream, Stream, deal

IntArray = npt.NDArray[np.int64]

# What each generator is for, after those of stream.py.
_INSTANCES, _DEAL = 4, 5


@dataclass(frozen=True)
class GoogleStream(Stream):
    """Stream of batches that sends each pool of documents through Google's code, seeded by the pool's position.

    A segment "from another document" comes from the same pool. Masks are drawn again in every epoch, where Google
    repeats 40 sets of them. Otherwise instances are as in `google_instances`, including truncation and the cap of 20
    predictions. The first token's position is always 0. Batches hold a pool's instances in random order.

    Of the rule, word starts, the id of [MASK], share and longest n-gram are used: what becomes of a masked token is
    Google's, over all ids. `short_share` is a share of documents, with one random length for each document.
    """

    @classmethod
    def like(cls, stream: InstanceStream) -> GoogleStream:
        """Return the stream that reads the same documents in the same order.

        Args:
            stream: whose fields are taken, but for the spreading of positions, which is not Google's.
        """
        return cls(**{field.name: getattr(stream, field.name) for field in fields(cls)})

    def pool_instances(self, epoch: int, pool: int, documents: IntArray) -> Iterator[Instance]:
        """Yield a pool's instances in Google's order.

        Args:
            epoch: epoch number, from 0.
            pool: its place in the epoch, from 0.
            documents: documents of the pool; empty ones and empty sentences are left out, as Google's reader does.
        """
        sentences = []
        for number in documents:
            document = self.corpus.document(int(number))
            parts = [part for part in np.split(document.tokens, document.starts[1:-1]) if len(part)]
            if parts:
                sentences.append(parts)
        seed = np.random.SeedSequence((self.seed, _INSTANCES, epoch, pool)).generate_state(1, np.uint64)
        return google_instances(
            sentences,
            masking=GoogleMasking(
                self.rule.word_starts,
                self.rule.mask_id,
                masked_lm_prob=self.rule.share,
                max_ngram=self.rule.max_ngram,
            ),
            cls_id=self.cls_id,
            sep_id=self.sep_id,
            max_length=self.max_length,
            short_seq_prob=self.short_share,
            seed=int(seed[0]),
        )

    def pool_batches(self, epoch: int, pool: int, documents: IntArray) -> list[PendingInstances]:
        """Return a pool's instances, shuffled and dealt to batches of nearly equal size."""
        instances = list(self.pool_instances(epoch, pool, documents))
        dealt = deal(
            np.array([len(instance.input_ids) for instance in instances], dtype=np.int64),
            batch_tokens=self.batch_tokens,
            random=np.random.default_rng((self.seed, _DEAL, epoch, pool)),
        )
        return [PendingInstances([instances[index] for index in part]) for part in dealt]


@dataclass(frozen=True)
class PendingInstances:
    """Instances that will be a batch, masked already: Google draws pairs and masks from one generator."""

    instances: Sequence[Instance]

    @property
    def tokens(self) -> int:
        """Tokens of its sequences, special ones included."""
        return sum(len(instance.input_ids) for instance in self.instances)

    def build(self) -> PretrainingBatch:
        """Pack."""
        batch = Batch.pack([TokenSequence(instance.input_ids, instance.token_type_ids) for instance in self.instances])
        rows = zip(batch.starts, self.instances, strict=True)
        return PretrainingBatch(
            batch,
            np.concatenate([start + instance.masked_positions for start, instance in rows]),
            np.concatenate([instance.masked_ids for instance in self.instances]),
            np.array([instance.swapped for instance in self.instances], dtype=np.int64),
        )
