"""Pooling: what a head or `embed` reads of each sequence. Imports torch only where torch computes it.

pooler  tanh of a linear map of the first token's last hidden state: what transformers' sequence classifier reads
cls     the first token's last hidden state
mean    the mean of all last hidden states, [CLS] and [SEP] among them
pair    for heads on two texts: the means u and v of their hidden states, |u - v| and u * v, side by side
        (Conneau et al., 2017, section 2.2; here the two texts have also read each other)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import Batch
from albertkit.config import HEAD_POOLINGS, POOLINGS
from albertkit.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from albertkit.encoder.encoder import EncoderOutput

FIRST = ("pooler", "cls")
"""Those that read the first token only."""


def check_pooling(pooling: str, known: tuple[str, ...] = POOLINGS) -> None:
    """Refuse a name that is none of the known ones.

    >>> check_pooling("mean")

    Raises:
        UsageError: an unknown pooling; the sentence holds the known ones.
    """
    if pooling not in known:
        raise UsageError(f'unknown pooling "{pooling}"{did_you_mean(pooling, known)} (known: {", ".join(known)})')


def pooled_features(encoded: EncoderOutput, *, pooling: str) -> Float[Tensor, "sequences width"]:
    """Return one row per sequence of a packed batch, `[sequences, width]`; `pair` is four times as wide as the states.

    Args:
        encoded: packed; its `sequence_output` is `[tokens, hidden]`.
        pooling: of `HEAD_POOLINGS`; means are summed in fp32 and are fp32.

    Raises:
        UsageError: an unknown pooling, or `pair` of a sequence that holds one text only.

    >>> import torch
    >>> from albertkit.encoder.encoder import EncoderOutput
    >>> hidden = torch.tensor([[1.0], [3.0], [7.0]])
    >>> encoded = EncoderOutput(hidden, torch.zeros(2, 1), lengths=torch.tensor([2, 1]), segments=torch.zeros(3).long())
    >>> pooled_features(encoded, pooling="mean").tolist()
    [[2.0], [7.0]]
    """
    import torch

    from albertkit.encoder.kernels import distinct_rows

    check_pooling(pooling, HEAD_POOLINGS)
    if pooling == "pooler":
        return encoded.pooled_output
    hidden, lengths = encoded.sequence_output, encoded.lengths
    assert hidden.ndim == 2, "a padded output does not say where its sequences start"
    if pooling == "cls":
        return distinct_rows(hidden, lengths.cumsum(0) - lengths)
    # On a processor a sum by index is four to six times as fast as torch.segment_reduce, forwards and backwards.
    sequence_of_row = torch.repeat_interleave(lengths, output_size=len(hidden))  # [tokens]
    if pooling == "mean":
        sums = hidden.new_zeros((len(lengths), hidden.shape[1]), dtype=torch.float32)
        return sums.index_add(0, sequence_of_row, hidden.float()) / lengths[:, None]
    text_of_row = 2 * sequence_of_row + encoded.segments  # [tokens]
    counts = torch.bincount(text_of_row, minlength=2 * len(lengths))
    if not counts.all():
        raise UsageError("pooling pair reads two texts, but a sequence holds one")
    sums = hidden.new_zeros((len(counts), hidden.shape[1]), dtype=torch.float32)
    means = sums.index_add(0, text_of_row, hidden.float()) / counts[:, None]
    first, second = means.view(len(lengths), 2, hidden.shape[1]).unbind(dim=1)
    return torch.cat([first, second, (first - second).abs(), first * second], dim=1)


def reads_first_only(*, reads: str, pooling: str) -> bool:
    """Return whether a head reads only the first token of each sequence.

    Args:
        reads: `sequences` or `tokens`, as the task's objective says.
        pooling: for sequences, see `pooled_features`.
    """
    return reads == "sequences" and pooling in FIRST


def head_states(encoded: EncoderOutput, *, reads: str, pooling: str) -> Float[Tensor, "rows width"]:
    """Return what a head reads of a packed batch, in fp32: `[sequences, width]`, or `[tokens, hidden]`.

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
