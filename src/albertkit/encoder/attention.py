"""Self-attention over packed tokens: the one operation that knows where a sequence starts and ends.

Letters: tokens T, sequences of one group n, their padded length s, heads h, size of a head d, hidden H = h * d.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from albertkit.batching.batch import IntArray
from albertkit.batching.cutting import cut_near_equal
from albertkit.encoder.kernels import attend, attend_packed, distinct_rows, on_device
from albertkit.encoder.linear import SharedLinear, shared_linear


@dataclass(frozen=True)
class AttentionGroup:
    """Sequences of equal or near-equal length, laid out as `[n, s]`."""

    num_sequences: int
    """n."""
    length: int
    """s, the longest of the group, in tokens."""
    mask: Bool[Tensor, "n 1 1 s"] | None
    """True where a key is a token, False where it pads; None when all lengths are equal."""


@dataclass(frozen=True)
class AttentionPlan:
    """How a packed batch is laid out for attention; made once per batch, used by every layer."""

    groups: tuple[AttentionGroup, ...]
    """In the order of their padded rows; empty if attention runs over the packed rows."""
    to_padded: Int[Tensor, " padded"] | None
    """Packed row of each padded row (any row where it pads); None when the packed rows are the padded ones already."""
    to_packed: Int[Tensor, " tokens"] | None
    """Padded row of each packed row; None when the packed rows are the padded ones already."""
    padding: Int[Tensor, " pads"] | None
    """Padded rows that hold no token; None when there are none."""
    spare: Int[Tensor, " spares"] | None = None
    """Packed rows after the last token, there to round the number of rows up; None when there are none."""
    offsets: Int[Tensor, " ends"] | None = None
    """First packed row of each sequence, and their number, int32 `[sequences + 1]`; None where groups are padded."""
    longest: int = 0
    """Tokens of the longest sequence, rounded up; used together with `offsets`."""


def plan_attention(
    lengths: IntArray,
    *,
    device: torch.device | str = "cpu",
    num_rows: int | None = None,
    packed: bool = False,
) -> AttentionPlan:
    """Group the sequences of a packed batch by length; or leave them packed, where the device can attend so.

    >>> plan = plan_attention(np.array([3, 3]))
    >>> plan.to_padded is None, [(g.num_sequences, g.length) for g in plan.groups]
    (True, [(2, 3)])

    Args:
        lengths: tokens of each sequence, `[sequences]`, each at least 1.
        device: device of the index tensors.
        num_rows: packed rows in all, when more than there are tokens; then lengths of groups are rounded up, too.
        packed: whether attention runs over the packed rows (`attends_packed`).
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    if packed:
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        longest = -(-int(lengths.max()) // 64) * 64  # few different values: a compiled layer is compiled for each
        return AttentionPlan((), None, None, None, offsets=on_device(ends, device), longest=longest)
    tokens = int(lengths.sum())
    rows = tokens if num_rows is None else num_rows
    if rows == tokens and len(lengths) and (lengths == lengths[0]).all():
        return AttentionPlan((AttentionGroup(len(lengths), int(lengths[0]), None),), None, None, None)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    groups: list[AttentionGroup] = []
    to_padded: list[IntArray] = []
    to_packed = np.zeros(rows, np.int64)
    padding: list[IntArray] = []
    row = 0
    for members in cut_near_equal(lengths):
        longest = int(lengths[members[0]])
        longest = longest if num_rows is None else -(-longest // 8) * 8
        columns = np.arange(longest)
        valid = columns < lengths[members][:, None]
        packed_rows = starts[members][:, None] + np.where(valid, columns, 0)
        padded_rows = row + np.arange(packed_rows.size).reshape(packed_rows.shape)
        to_packed[packed_rows[valid]] = padded_rows[valid]
        to_padded.append(packed_rows.reshape(-1))
        padding.append(padded_rows[~valid])
        mask = None if valid.all() else torch.from_numpy(valid)[:, None, None, :].to(device)
        groups.append(AttentionGroup(len(members), longest, mask))
        row += packed_rows.size
    pads = np.concatenate(padding)
    return AttentionPlan(
        tuple(groups),
        torch.from_numpy(np.concatenate(to_padded)).to(device),
        torch.from_numpy(to_packed).to(device),
        torch.from_numpy(pads).to(device) if len(pads) else None,
        torch.arange(tokens, rows, device=device) if rows > tokens else None,
    )


class _Rearrange(torch.autograd.Function):
    """Rows by index, with the inverse index for the way back.

    The mapping is one to one on rows that count, so the gradient is a gather too; the general backward of indexing
    would add row by row.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, there: Tensor, back: Tensor, empty: Tensor | None) -> Tensor:
        ctx.save_for_backward(back, empty)
        return rows.index_select(0, there)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        back, empty = ctx.saved_tensors
        result = gradient.index_select(0, back)
        if empty is not None:
            result.index_fill_(0, empty, 0)
        return result, None, None, None


def _rearrange(rows: Tensor, *, there: Tensor, back: Tensor, empty: Tensor | None = None) -> Tensor:
    return _Rearrange.apply(rows, there, back, empty)  # type: ignore[no-any-return, no-untyped-call]


class Attention(nn.Module):
    """Multi-head self-attention with its residual and post-layer-normalization (`modeling.py`, attention_layer)."""

    def __init__(
        self, hidden_size: int, *, num_heads: int, attention_dropout: float, hidden_dropout: float, norm_eps: float
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.value = nn.Linear(hidden_size, hidden_size)
        self.output = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=norm_eps)
        self.dropout = nn.Dropout(hidden_dropout)

    def shared(self) -> tuple[SharedLinear, SharedLinear]:
        """Return the linear maps for one pass: the three projections as one product, and the output's."""
        return shared_linear(self.query, self.key, self.value), shared_linear(self.output)

    def forward(
        self,
        hidden: Float[Tensor, "tokens hidden"],
        plan: AttentionPlan,
        shared: tuple[SharedLinear, SharedLinear],
        wanted: Int[Tensor, " wanted"] | None = None,
    ) -> Float[Tensor, "rows hidden"]:
        """Attend within each sequence, add the input, normalize.

        Args:
            hidden: `[tokens, hidden]`.
            plan: the layout from `plan_attention` for these tokens.
            shared: what `shared` returned in this pass.
            wanted: the rows to return, each once; all if None.
        """
        projections, output = shared
        projected = projections(hidden)  # T 3H
        context = self._packed(projected, plan) if plan.offsets is not None else self._by_groups(projected, plan)
        if wanted is not None:
            context, hidden = distinct_rows(context, wanted), distinct_rows(hidden, wanted)
        mixed = output(context)
        normalized: Tensor = self.norm(hidden + self.dropout(mixed))
        return normalized

    def _packed(self, projected: Tensor, plan: AttentionPlan) -> Tensor:
        assert plan.offsets is not None
        return attend_packed(projected, heads=self.num_heads, offsets=plan.offsets, longest=plan.longest)

    def _by_groups(self, projected: Tensor, plan: AttentionPlan) -> Tensor:
        if plan.to_padded is not None:
            assert plan.to_packed is not None
            projected = _rearrange(projected, there=plan.to_padded, back=plan.to_packed, empty=plan.spare)
        dropout = self.attention_dropout if self.training else 0.0
        sizes = [group.num_sequences * group.length for group in plan.groups]
        contexts = [
            attend(
                rows.view(group.num_sequences, group.length, -1), heads=self.num_heads, mask=group.mask, dropout=dropout
            ).flatten(0, 1)
            for group, rows in zip(plan.groups, torch.split(projected, sizes), strict=True)
        ]
        context = contexts[0] if len(contexts) == 1 else torch.cat(contexts)
        if plan.to_packed is not None:
            assert plan.to_padded is not None
            context = _rearrange(context, there=plan.to_packed, back=plan.to_padded, empty=plan.padding)
        return context
