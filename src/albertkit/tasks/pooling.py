"""Pooling: what a head or `embed` reads of each sequence. Imports torch only where torch computes it.

pooler  tanh of a linear map of the first token's last hidden state: what transformers' sequence classifier reads
cls     the first token's last hidden state
mean    the mean of all last hidden states, [CLS] and [SEP] among them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch
from albertkit.config import POOLINGS
from albertkit.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from albertkit.encoder.encoder import EncoderOutput


def check_pooling(pooling: str) -> None:
    """Refuse a name that is none of `POOLINGS`.

    >>> check_pooling("mean")

    Raises:
        UsageError: an unknown pooling; the sentence holds the known ones.
    """
    if pooling not in POOLINGS:
        raise UsageError(f'unknown pooling "{pooling}"{did_you_mean(pooling, POOLINGS)} (known: {", ".join(POOLINGS)})')


def pooled_features(encoded: EncoderOutput, *, pooling: str) -> Float[Tensor, "sequences hidden"]:
    """Return one row per sequence of a packed batch, `[sequences, hidden]`.

    Args:
        encoded: packed; its `sequence_output` is `[tokens, hidden]`.
        pooling: `pooler`, `cls` or `mean`; the mean is summed in fp32 and is fp32.

    Raises:
        UsageError: an unknown pooling.

    >>> import torch
    >>> from albertkit.encoder.encoder import EncoderOutput
    >>> hidden = torch.tensor([[1.0], [3.0], [7.0]])
    >>> encoded = EncoderOutput(hidden, torch.zeros(2, 1), lengths=torch.tensor([2, 1]))
    >>> pooled_features(encoded, pooling="mean").tolist()
    [[2.0], [7.0]]
    """
    import torch

    from albertkit.encoder.kernels import distinct_rows

    check_pooling(pooling)
    if pooling == "pooler":
        return encoded.pooled_output
    hidden, lengths = encoded.sequence_output, encoded.lengths
    assert hidden.ndim == 2, "a padded output does not say where its sequences start"
    if pooling == "cls":
        return distinct_rows(hidden, lengths.cumsum(0) - lengths)
    # On a processor a sum by index is four to six times as fast as torch.segment_reduce, forwards and backwards.
    sequence_of_row = torch.repeat_interleave(lengths, output_size=len(hidden))  # [tokens]
    sums = hidden.new_zeros((len(lengths), hidden.shape[1]), dtype=torch.float32)
    return sums.index_add(0, sequence_of_row, hidden.float()) / lengths[:, None]


def head_states(encoded: EncoderOutput, *, reads: str, pooling: str) -> Float[Tensor, "rows hidden"]:
    """Return what a head reads of a packed batch, in fp32: `[sequences, hidden]`, or `[tokens, hidden]`.

    Args:
        encoded: packed.
        reads: `sequences` or `tokens`, as the task's objective says.
        pooling: for sequences, see `pooled_features`.
    """
    if reads == "tokens":
        return encoded.sequence_output.float()
    return pooled_features(encoded, pooling=pooling).float()


def pooled_rows(hidden: npt.NDArray[np.float32], batch: Batch, *, pooling: str) -> npt.NDArray[np.float32]:
    """Return the same of hidden states in NumPy, for files that run without torch and hold no such output.

    >>> batch = Batch.from_padded(*[np.array([[1, 1], [1, 0]])] * 3)
    >>> pooled_rows(np.array([[1.0], [3.0], [7.0]], np.float32), batch, pooling="mean").tolist()
    [[2.0], [7.0]]

    Args:
        hidden: last hidden states `[tokens, hidden]`.
        batch: the batch that was run.
        pooling: `cls` or `mean`.
    """
    if pooling == "cls":
        return hidden[batch.starts]
    # Sequence by sequence: np.add.reduceat takes twenty times as long.
    return np.stack([rows.mean(axis=0) for rows in np.split(hidden, batch.starts[1:])])
