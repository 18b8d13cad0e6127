"""Operations of a layer with gradients written by hand, where torch's own are slow on a processor.

Letters: tokens T, sequences of one group n, their padded length s, heads h, size of a head d.
"""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

_VARLEN = importlib.util.find_spec("torch.nn.attention.varlen") is not None  # since torch 2.10


def on_device(array: np.ndarray[Any, Any], device: torch.device | str) -> Tensor:
    """Return an array as a tensor on a device; the copy to a GPU is asynchronous."""
    tensor = torch.from_numpy(array)
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


_GELU_CHUNK = 131072
"""Numbers a thread works on at a time: three such rows in fp32 stay in its cache."""


class _GeluTanh(torch.autograd.Function):
    """GELU in its tanh form on a processor in bf16, and its slope in the same passes, for the way back.

    torch's own takes as long as a product, twice: its vectors' tanh is the slow, last-digit one. As
    0.5 (1 + tanh(z)) = sigmoid(2 z), one sigmoid gives both value and slope.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor) -> Tensor:
        hidden = hidden.contiguous()
        value, slope = torch.empty_like(hidden), torch.empty_like(hidden)
        size = min(_GELU_CHUNK * torch.get_num_threads(), hidden.numel())
        scratch = torch.empty(3, size)
        scale, cube = math.sqrt(8 / math.pi), 0.044715  # 2 z = scale (x + cube x^3)
        flat = [torch.split(tensor.view(-1), size) for tensor in (hidden, value, slope)]
        for given, to_value, to_slope in zip(*flat, strict=True):
            x, square, gate = scratch[:, : len(given)].unbind(0)
            x.copy_(given)
            torch.mul(x, x, out=square)
            torch.addcmul(x, x, square, value=cube, out=gate).mul_(scale).sigmoid_()
            x.mul_(gate)
            to_value.copy_(x)
            x.addcmul_(x, gate, value=-1)  # x gate (1 - gate)
            square.mul_(3 * cube * scale).add_(scale)  # slope of 2 z
            to_slope.copy_(gate.addcmul_(x, square))
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        return gradient * slope  # type: ignore[no-any-return]


def gelu_tanh(hidden: Tensor) -> Tensor:
    """Return the tanh form of GELU, any shape."""
    trains = torch.is_grad_enabled() and hidden.requires_grad
    if trains and hidden.device.type == "cpu" and hidden.dtype is torch.bfloat16 and hidden.numel():
        return _GeluTanh.apply(hidden)  # type: ignore[no-any-return, no-untyped-call]
    return F.gelu(hidden, approximate="tanh")


class _AttentionCore(torch.autograd.Function):
    """softmax(Q K' / sqrt(d)) V in bf16 by plain products, with every copy made once.

    torch's fused kernel has a slow backward in bf16 on a processor, and its plain one copies for each of six products.
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, heads: int, mask: Tensor | None) -> Tensor:
        n, s, width = projected.shape
        size = width // (3 * heads)
        parts = projected.view(n, s, 3, heads, size).permute(2, 0, 3, 1, 4).contiguous()  # 3 n h s d
        query, key, value = parts.view(3, n * heads, s, size).unbind(0)
        scores = torch.bmm(query, key.transpose(1, 2))  # nh s s
        scores *= size**-0.5
        if mask is not None:
            scores.view(n, heads, s, s).masked_fill_(~mask, torch.finfo(scores.dtype).min)
        probabilities = scores.softmax(-1)
        context = torch.bmm(probabilities, value).view(n, heads, s, size).transpose(1, 2)  # n s h d
        ctx.heads = heads
        ctx.save_for_backward(parts, probabilities)
        return context.reshape(n, s, heads * size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        parts, probabilities = ctx.saved_tensors
        _, n, heads, s, size = parts.shape
        query, key, value = parts.view(3, n * heads, s, size).unbind(0)
        gradient = gradient.view(n, s, heads, size).transpose(1, 2).reshape(n * heads, s, size)
        to_parts = torch.empty((n, s, 3, heads, size), dtype=parts.dtype)
        places = to_parts.permute(2, 0, 3, 1, 4)  # 3 n h s d, written through
        shape = (n, heads, s, size)
        places[2].copy_(torch.bmm(probabilities.transpose(1, 2), gradient).view(shape))
        to_scores = torch._softmax_backward_data(
            torch.bmm(gradient, value.transpose(1, 2)), probabilities, -1, probabilities.dtype
        )
        to_scores *= size**-0.5
        places[0].copy_(torch.bmm(to_scores, key).view(shape))
        places[1].copy_(torch.bmm(to_scores.transpose(1, 2), query).view(shape))
        return to_parts.view(n, s, 3 * heads * size), None, None


def attend(projected: Tensor, *, heads: int, mask: Tensor | None, dropout: float) -> Tensor:
    """Return the context `[n, s, h * d]` of packed projections `[n, s, 3 * h * d]` (query, key, value).

    Args:
        projected: the three projections side by side.
        heads: h.
        mask: True where a key is a token, `[n, 1, 1, s]`; None when all are.
        dropout: probability in [0, 1) of dropping an attention weight.
    """
    on_cpu = projected.device.type == "cpu"
    trains = torch.is_grad_enabled() and projected.requires_grad
    # In fp32 torch's fused kernel is the faster one both ways, by 2 to 24 %.
    if on_cpu and trains and projected.dtype is torch.bfloat16 and not dropout:
        return _AttentionCore.apply(projected, heads, mask)  # type: ignore[no-any-return, no-untyped-call]
    n, s, width = projected.shape
    query, key, value = projected.view(n, s, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)  # n h s d each
    if on_cpu and dropout and torch.is_grad_enabled():
        scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2))  # n h s s
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        context = torch.matmul(F.dropout(scores.softmax(-1), dropout), value)
    else:
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    return context.transpose(1, 2).reshape(n, s, width // 3)


def attends_packed(weight: Tensor, *, size: int, dropout: float) -> bool:
    """Return whether attention with this weight can now run over packed rows, without padding: FlashAttention on a GPU.

    Args:
        weight: weight of the projections.
        size: d, of a head.
        dropout: dropout of attention weights; that kernel knows none.
    """
    return (
        _VARLEN
        and weight.is_cuda
        and not dropout
        and size % 8 == 0
        and size <= 256
        and torch.is_autocast_enabled("cuda")
        and torch.get_autocast_dtype("cuda") in (torch.bfloat16, torch.float16)
        and torch.cuda.get_device_capability(weight.device) >= (8, 0)
    )


def attend_packed(
    projected: Float[Tensor, "tokens width"], *, heads: int, offsets: Int[Tensor, " ends"], longest: int
) -> Float[Tensor, "tokens hidden"]:
    """Return the context `[tokens, h * d]` of packed projections `[tokens, 3 * h * d]` on a GPU.

    Args:
        projected: query, key and value side by side, in bf16 or fp16.
        heads: h.
        offsets: first row of each sequence, and the number of rows, int32 `[sequences + 1]`.
        longest: tokens of the longest sequence, or more.
    """
    from torch.nn.attention.varlen import varlen_attn  # here: it brings torch's compiler with it, two seconds

    query, key, value = projected.view(len(projected), 3, heads, -1).unbind(1)  # T h d each
    context = varlen_attn(query, key, value, offsets, offsets, longest, longest)
    assert isinstance(context, Tensor)
    return context.reshape(len(projected), -1)


class _FirstRows(torch.autograd.Function):
    """Some rows, each at most once: the gradient is copied to its place, not added to it."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, rows: Tensor) -> Tensor:
        ctx.shape = hidden.shape
        ctx.save_for_backward(rows)
        return hidden.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.shape).index_copy_(0, rows, gradient), None


def distinct_rows(hidden: Tensor, rows: Tensor) -> Tensor:
    """Return rows `[r, hidden]` of `[T, hidden]`; no row may be named twice."""
    return _FirstRows.apply(hidden, rows)  # type: ignore[no-any-return, no-untyped-call]
