"""Times of one training operation, forward and backward: albertkit's own kernel against torch's operator.

    python benchmarks/layer_kernels.py [--model albert-nano] [--tokens 2048] [--lengths 16 32 128 512] [--json-out FILE]

ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 simulates a processor without AVX-512. See README.md in this folder.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from harness import Report, in_turns, options_of, parsed, row, run_program, spread
from machine import machine, matrix_peaks
from torch import Tensor, nn

from albertkit.config import AlbertConfig, published_config
from albertkit.encoder import kernels
from albertkit.encoder.linear import shared_linear
from albertkit.hardware.device import choose_execution
from albertkit.hardware.processor import capabilities
from albertkit.io.progress import Console

Operation = Callable[[Tensor], Tensor]


def own(projected: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    """Attend by albertkit's kernel, which trainings use in bf16."""
    context: Tensor = kernels._AttentionCore.apply(projected, heads, mask)  # type: ignore[no-untyped-call]
    return context


def fused(projected: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    """Attend by torch's fused kernel."""
    count, length, width = projected.shape
    query, key, value = projected.view(count, length, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    context = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return context.transpose(1, 2).reshape(count, length, width // 3)


def plain(projected: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    """Attend by torch's products and softmax."""
    count, length, width = projected.shape
    query, key, value = projected.view(count, length, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2))
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return torch.matmul(scores.softmax(-1), value).transpose(1, 2).reshape(count, length, width // 3)


def both_ways(operation: Operation, given: Tensor, *, bf16: bool) -> Callable[[], None]:
    """Return a run forward and backward; gradients go to the input and to the weights."""
    slope: Tensor | None = None

    def run() -> None:
        nonlocal slope
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            result = operation(given)
        slope = torch.randn_like(result) if slope is None else slope
        result.backward(slope)  # type: ignore[no-untyped-call]
        given.grad = None

    return run


def cases(config: AlbertConfig, *, tokens: int, lengths: Sequence[int], bf16: bool) -> dict[str, dict[str, Any]]:
    """Return for each case its contenders by name, the first one ours."""
    hidden, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    dtype = torch.bfloat16 if bf16 else torch.float32

    def rows(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=dtype).requires_grad_()

    found: dict[str, dict[str, Any]] = {}
    for length, padded in itertools.product(lengths, (False, True)):
        projected = rows(max(tokens // length, 1), length, 3 * hidden)
        shortest = length - length // 8  # as in a group of near-equal lengths
        ends = torch.linspace(shortest, length, len(projected)).long()
        mask = (torch.arange(length) < ends[:, None])[:, None, None, :] if padded else None
        contenders = {"albertkit": own, "torch fused": fused, "torch plain": plain}
        found[f"attention, {length} tokens{', padded' * padded}"] = {
            name: both_ways(partial(kernel, heads=heads, mask=mask), projected, bf16=bf16)
            for name, kernel in contenders.items()
        }
    if not bf16:  # in fp32 the linear maps and GELU are torch's own
        return found
    shapes = {"up": (inner, hidden), "down": (hidden, inner), "query, key, value": (3 * hidden, hidden)}
    for name, (wide, narrow) in shapes.items():
        linear = nn.Linear(narrow, wide)

        def ours(given: Tensor, linear: nn.Linear = linear) -> Tensor:
            return shared_linear(linear)(given)

        given = rows(tokens, narrow)
        found[f"linear, {name}"] = {
            "albertkit": both_ways(ours, given, bf16=True),
            "torch": both_ways(linear, given, bf16=True),
        }
    given = rows(tokens, inner)
    found["gelu, tanh form"] = {
        "albertkit": both_ways(kernels.gelu_tanh, given, bf16=True),
        "torch": both_ways(lambda given: F.gelu(given, approximate="tanh"), given, bf16=True),
    }
    return found


def measure(options: Any) -> Report:
    """Run all contenders of each case in turn and return the report."""
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    config = published_config(options.model)
    rounds = options.rounds or (3 if options.quick else 15)
    rows: list[dict[str, Any]] = []
    torch.manual_seed(1)
    for bf16 in (False, True) if capabilities().bf16 else (False,):
        precision = "bf16" if bf16 else "fp32"
        for case, contenders in cases(config, tokens=options.tokens, lengths=options.lengths, bf16=bf16).items():
            # The processor's time: other programs change it little.
            clock = time.process_time if options.threads == 1 else time.perf_counter
            seconds, _ = in_turns(contenders, rounds=rounds, warm_up=2, clock=clock)
            medians = {name: spread(found, digits=6)["median"] for name, found in seconds.items()}
            best = min((name for name in medians if name != "albertkit"), key=lambda name: medians[name])
            one = row(
                case,
                ours=medians["albertkit"],
                peer=medians[best],
                unit="s",
                peer_name=best,
                peer_mode="best",
                precision=precision,
                peer_precision=precision,
                **{f"{name} ms": round(1000 * median, 3) for name, median in medians.items()},
            )
            rows.append(one)
            Console().report(
                f"{case}, {precision}: {1000 * medians['albertkit']:.2f} ms, {best} {1000 * medians[best]:.2f}, "
                f"ratio {one['ratio']:.2f}"
            )
    peaks = matrix_peaks(size=512, repeats=3)
    return {"name": "layer_kernels", "machine": machine(execution), "peaks": peaks, "cases": rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=1, quick="three rounds")
    parser.add_argument("--model", default="albert-nano", metavar="NAME", help="whose shape (%(default)s)")
    parser.add_argument("--tokens", type=int, default=2048, metavar="N", help="of a batch (%(default)s)")
    parser.add_argument("--lengths", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512], metavar="N")
    return run_program(measure, parsed(parser, arguments, positive=("tokens",)))


if __name__ == "__main__":
    sys.exit(main())
