"""Compute cross-entropy over the whole vocabulary in chunks: memory never holds the logits of all masked positions.

The gradient is computed together with the loss, while a chunk of logits is still in the processor's cache, and kept
until the backward pass. With 30,000 pieces for some hundred positions, it is the second largest cost of a small ALBERT.

Letters: masked positions M, embedding E, vocabulary V.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from albertkit.encoder.linear import linear_forward

STRIP = 512
"""Rows of logits that are in memory together."""
STRIP_ON_GPU = 8192
"""Rows on a GPU, where matrix products should be large; 0.5 GB for 30,000 pieces in bf16."""


class _StripedCrossEntropy(torch.autograd.Function):
    """Sum of the losses, and how many first choices were right."""

    @staticmethod
    def forward(
        ctx: Any,
        transformed: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        dtype: torch.dtype,
        grad_enabled: bool,
    ) -> tuple[Tensor, Tensor]:
        with_gradient = grad_enabled and any(ctx.needs_input_grad[:3])  # which does not know of torch.no_grad
        inputs, table, shift = transformed.to(dtype), weight.to(dtype), bias.to(dtype)
        loss = transformed.new_zeros((), dtype=torch.float64)
        correct = torch.zeros((), dtype=torch.int64, device=transformed.device)
        to_inputs = torch.empty_like(inputs)
        to_table = torch.zeros_like(weight, dtype=torch.float32)
        to_bias = torch.zeros_like(bias, dtype=torch.float32)
        strip = STRIP_ON_GPU if inputs.is_cuda else STRIP
        ones, numbers = inputs.new_ones(strip), torch.arange(strip, device=inputs.device)
        for start in range(0, len(inputs), strip):
            rows = slice(start, start + strip)
            target = targets[rows, None]
            logits = linear_forward(inputs[rows], table, shift)  # M V
            chosen = logits.gather(1, target)
            if not with_gradient:
                loss += (logits.float().logsumexp(1, keepdim=True) - chosen).sum()
                correct += _first_choices(logits, chosen, target)
                continue
            probabilities = logits.softmax(1)
            correct += _first_choices(logits, chosen, target)
            likelihood = probabilities.gather(1, target)
            loss -= likelihood.float().clamp_min(1e-30).log().sum()
            probabilities[numbers[: len(target)], target[:, 0]] = likelihood[:, 0] - 1  # now: the loss by the logits
            torch.mm(probabilities, table, out=to_inputs[rows])
            to_table += torch.mm(probabilities.t(), inputs[rows])
            to_bias += torch.mv(probabilities.t(), ones[: len(target)])  # a sum in fp32 would copy all of them
        ctx.save_for_backward(to_inputs, to_table, to_bias)
        ctx.types = transformed.dtype, weight.dtype, bias.dtype
        ctx.mark_non_differentiable(correct)
        return loss.float(), correct

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        parts = [part.to(dtype).mul_(gradient) for part, dtype in zip(ctx.saved_tensors, ctx.types, strict=True)]
        return parts[0], parts[1], parts[2], None, None, None


def _first_choices(logits: Tensor, chosen: Tensor, target: Tensor) -> Tensor:
    """Count the rows whose argmax is the target, which is then struck out of `logits`.

    In bf16 the two largest logits of a row are often equal, and argmax itself is ten times slower than the largest on a
    processor. A GPU is quick at it, but would have to wait to learn which rows are tied.
    """
    if logits.is_cuda:
        return (logits.argmax(1, keepdim=True) == target).sum()
    others = logits.scatter_(1, target, -torch.inf).amax(1, keepdim=True)
    tied = (chosen == others)[:, 0]
    return (chosen > others).sum() + (logits[tied].argmax(1) > target[tied, 0]).sum()


def masked_cross_entropy(
    transformed: Float[Tensor, "masked embedding"],
    weight: Float[Tensor, "vocabulary embedding"],
    bias: Float[Tensor, " vocabulary"],
    targets: Int[Tensor, " masked"],
) -> tuple[Tensor, Tensor]:
    """Return the sum of the cross-entropies and the number of right first choices, both scalars.

    Products run in the type that autocast asks for, sums in fp32.

    Args:
        transformed: `[masked, embedding]`.
        weight: `[vocabulary, embedding]`.
        bias: `[vocabulary]`.
        targets: the pieces that stood there, `[masked]`.
    """
    kind = transformed.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else transformed.dtype
    grad_enabled = torch.is_grad_enabled()  # inside a Function it is off
    with torch.autocast(kind, enabled=False):
        return _StripedCrossEntropy.apply(transformed, weight, bias, targets, dtype, grad_enabled)  # type: ignore[no-any-return, no-untyped-call]
