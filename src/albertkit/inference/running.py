"""Running: sequences through a runtime in packed batches, and what a question wants of the model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch, IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.batching.cutting import cut_by_tokens

FloatArray = npt.NDArray[np.float32]
BATCH_TOKENS = 4096
"""Tokens of one forward pass: enough to fill the processor's products, small enough for its caches."""

Progress = Callable[[int], None]
"""Called with the number of sequences that were just finished."""
Answer = TypeVar("Answer")
Other = TypeVar("Other")


class Runtime(Protocol):
    """The seam that every runtime fills: a batch in, named arrays out."""

    def run(self, batch: Batch, *, outputs: Collection[str]) -> dict[str, FloatArray]:
        """Return the named outputs of the batch.

        Args:
            batch: packed sequences.
            outputs: `sequence_output` `[tokens, hidden]`; `pooled_output` or a pooling's name `[sequences, hidden]`;
                `logits` `[sequences, outputs]` or, of a head on tokens, `[tokens, outputs]`; and what else it knows.
        """
        ...


@dataclass(frozen=True)
class Work(Generic[Answer]):
    """What the model reads for a question, and how its rows become the answer.

    `run_work` runs it at once; a server runs many of them in shared passes.
    """

    sequences: Sequence[TokenSequence]
    """What the model reads; may be empty."""
    output: str
    """Name of one output of the runtime."""
    finish: Callable[[Sequence[FloatArray]], Answer]
    """Takes the rows of each sequence, see `run_outputs`."""
    positions: Sequence[IntArray] | None = None
    """The tokens of each sequence whose rows `finish` reads; None for all."""

    @property
    def tokens(self) -> int:
        """Tokens of all sequences."""
        return sum(map(len, self.sequences))

    def then(self, after: Callable[[Answer], Other]) -> Work[Other]:
        """Return the same work, whose answer passes a further function."""
        return Work(self.sequences, self.output, lambda rows: after(self.finish(rows)), self.positions)


def run_work(runtime: Runtime, work: Work[Answer], *, progress: Progress | None = None) -> Answer:
    """Return the answer of a question."""
    return work.finish(
        run_outputs(runtime, work.sequences, output=work.output, positions=work.positions, progress=progress)
    )


def run_sequences(
    runtime: Runtime,
    sequences: Sequence[TokenSequence],
    *,
    outputs: Sequence[str],
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> Iterator[tuple[IntArray, Batch, dict[str, FloatArray]]]:
    """Run many sequences in packed batches of near-equal length.

    Yields:
        The numbers of the sequences in the batch, the batch, and its outputs.
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    for indices in cut_by_tokens(lengths, max_tokens=batch_tokens):
        batch = Batch.pack(sequences[index] for index in indices)
        yield indices, batch, runtime.run(batch, outputs=outputs)
        if progress is not None:
            progress(len(indices))


def run_per_sequence(
    runtime: Runtime,
    sequences: Sequence[TokenSequence],
    *,
    output: str,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> FloatArray:
    """Return an output that has one row per sequence, in the order of the sequences.

    Args:
        runtime: what runs the model.
        sequences: tokenised texts.
        output: `logits`, `sop_logits`, `pooled_output`, or a pooling: `pooler`, `cls`, `mean`.
        batch_tokens: tokens per pass.
        progress: called with the number of sequences just finished.
    """
    rows: FloatArray | None = None
    for indices, _, found in run_sequences(
        runtime, sequences, outputs=[output], batch_tokens=batch_tokens, progress=progress
    ):
        if rows is None:
            rows = np.zeros((len(sequences), found[output].shape[1]), np.float32)
        rows[indices] = found[output]
    return np.zeros((0, 0), np.float32) if rows is None else rows


def run_outputs(
    runtime: Runtime,
    sequences: Sequence[TokenSequence],
    *,
    output: str = "logits",
    positions: Sequence[IntArray] | None = None,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> list[FloatArray]:
    """Return an output of each sequence: `[width]`, or `[tokens, width]` of an output by token.

    Args:
        runtime: what runs the model.
        sequences: tokenised texts.
        output: its name; default: the task head's `logits`.
        positions: of an output by token: the tokens of each sequence that are kept; default: all.
        batch_tokens: tokens per pass.
        progress: called with the number of sequences just finished.
    """
    rows: list[FloatArray] = [np.zeros(0, np.float32)] * len(sequences)
    for indices, batch, found in run_sequences(
        runtime, sequences, outputs=[output], batch_tokens=batch_tokens, progress=progress
    ):
        for index, part in zip(indices, rows_by_sequence(found[output], batch), strict=True):
            rows[index] = part if positions is None else part[positions[index]]
    return rows


def rows_by_sequence(rows: FloatArray, batch: Batch) -> list[FloatArray]:
    """Return an output of a batch by sequence; the parts are views.

    Args:
        rows: `[sequences, width]`, or `[tokens, width]`: [CLS] and [SEP] make the two numbers differ.
        batch: the batch that was run.
    """
    return np.split(rows, batch.starts[1:]) if len(rows) != len(batch) else list(rows)
