"""Cost against length, number of texts and threads: albertkit against transformers, as one picture.

    python benchmarks/curves.py --plot curves.png [--quick] [--json-out FILE]

Made-up piece ids, all texts of a point of one length: the peer has no padding to lose by, so the points say what the
lengths, the batch and the threads cost. Lengths are on both sides of each round number, where steps would show.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contenders import Contender, Vectors, by_batches
from harness import Report, in_turns, options_of, parsed, row, run_program, spread
from machine import machine, matrix_peaks

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.hardware.device import choose_execution
from albertkit.hardware.processor import capabilities
from albertkit.inference.pytorch import PyTorchRuntime
from albertkit.inference.running import run_per_sequence
from albertkit.io.progress import Console
from albertkit.models.loaded import Model
from albertkit.models.pretrained import fresh_model, save_model

LENGTHS = (8, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 192, 255, 256, 257, 384, 511, 512)
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
TOKENS = 1024
"""About so many tokens at each length."""
COUNTED_LENGTH = 32
"""Tokens of each text where their number varies."""
AXES = {"length": "tokens of a text", "texts": f"texts of {COUNTED_LENGTH} tokens at once", "threads": "threads"}

Point = tuple[str, int, int, int]
"""What varies, its value, number of texts, their length."""


def points(options: Any) -> list[Point]:
    """Return what is measured at `options.threads`; the threads come on top."""
    lengths, counts = (LENGTHS[::5], COUNTS[::5]) if options.quick else (LENGTHS, COUNTS)
    tokens = 512 if options.quick else TOKENS
    found: list[Point] = [("length", length, max(tokens // length, 1), length) for length in lengths]
    return found + [("texts", count, count, COUNTED_LENGTH) for count in counts]


def texts_of(count: int, length: int, *, vocabulary: int) -> list[TokenSequence]:
    """Return texts of made-up pieces."""
    generator = np.random.default_rng(length)
    return [TokenSequence(generator.integers(5, vocabulary, length), np.zeros(length, np.int64)) for _ in range(count)]


def contenders_of(model: Model, folder: Path, threads: int) -> list[Contender]:
    """Return albertkit and transformers with fused attention, in fp32 and where it is in hardware in bf16."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    peer = transformers.AlbertModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    found = []
    for precision in ("fp32", "bf16") if capabilities().bf16 else ("fp32",):
        execution = choose_execution(device="cpu", precision=precision, threads=threads)
        runtime = PyTorchRuntime(model.network, execution=execution)

        def own(sequences: Sequence[TokenSequence], runtime: PyTorchRuntime = runtime) -> Vectors:
            return run_per_sequence(runtime, sequences, output="pooled_output")

        def theirs(batch: dict[str, Any], precision: str = precision) -> Vectors:
            given = {name: torch.from_numpy(array) for name, array in batch.items()}
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                vectors: Vectors = peer(**given).pooler_output.float().numpy()
            return vectors

        found += [
            Contender("albertkit", precision, "packed", own),
            Contender("transformers", precision, "no padding", by_batches(theirs, "as-is")),
        ]
    return found


def measure(options: Any) -> Report:
    """Measure all points and draw them where asked."""
    execution = choose_execution(device="cpu", precision="fp32", threads=options.threads)
    report: Report = {"name": "curves", "machine": machine(execution)}
    report["peaks"] = matrix_peaks(size=512 if options.quick else 2048, repeats=5)
    rounds = options.rounds or (1 if options.quick else 5)
    model = fresh_model(options.model)
    vocabulary = model.network.config.vocab_size
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        folder = Path(parent) / "model"
        save_model(model, folder)
        by_threads = [("threads", threads, 8, 128) for threads in range(1, options.threads + 1)]
        for point in [*points(options), *by_threads]:
            threads = point[1] if point[0] == "threads" else options.threads
            sequences = texts_of(point[2], point[3], vocabulary=vocabulary)
            contenders = contenders_of(model, folder, threads)
            runs: dict[str, Callable[[], Any]] = {
                each.key: partial(_run, each, sequences, threads) for each in contenders
            }
            seconds, _ = in_turns(runs, rounds=rounds)
            found = {key: spread(each, digits=6)["median"] for key, each in seconds.items()}
            for own, peer in zip(contenders[::2], contenders[1::2], strict=True):
                cases.append(
                    row(
                        f"{point[0]} {point[1]}",
                        ours=len(sequences) / found[own.key],
                        peer=len(sequences) / found[peer.key],
                        unit="texts/s",
                        peer_name=peer.name,
                        peer_mode=peer.mode,
                        precision=own.precision,
                        peer_precision=peer.precision,
                        varied=point[0],
                        value=point[1],
                        microseconds_per_token=round(1e6 * found[own.key] / (point[2] * point[3]), 2),
                        peer_microseconds_per_token=round(1e6 * found[peer.key] / (point[2] * point[3]), 2),
                    )
                )
                Console().report(f"{point[0]} {point[1]}, {own.precision}: ratio {cases[-1]['ratio']:.2f}")
    if options.plot is not None:
        draw(cases, options.plot, title=options.model)
    return {**report, "cases": cases}


def _run(contender: Contender, sequences: Sequence[TokenSequence], threads: int) -> Vectors:
    torch.set_num_threads(threads)
    return contender.run(sequences)


def draw(cases: Sequence[dict[str, Any]], path: Path, *, title: str) -> None:
    """Draw microseconds a token against what varied, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    figure, axes = pyplot.subplots(1, len(AXES), figsize=(13, 4.6), layout="constrained")
    for axis, (varied, label) in zip(axes, AXES.items(), strict=True):
        rows = [case for case in cases if case["varied"] == varied]
        for precision, colour in (("fp32", "tab:blue"), ("bf16", "tab:orange")):
            chosen = [case for case in rows if case["precision"] == precision]
            values = [case["value"] for case in chosen]
            for key, style, name in (
                ("microseconds_per_token", "o-", "albertkit"),
                ("peer_microseconds_per_token", "s--", "transformers"),
            ):
                if chosen:
                    costs = [case[key] for case in chosen]
                    axis.plot(values, costs, style, color=colour, markersize=3.5, label=f"{name} {precision}")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:g}"[0] in "25" else ""))
        axis.set_xlabel(label)
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("microseconds a token")
    lines, names = axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(f"{title}: cost against length, texts and threads")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=2, quick="few points, one round: a first look")
    parser.add_argument("--model", default="albert-base-v2", metavar="NAME", help="whose shape (%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves here (.png)")
    return run_program(measure, parsed(parser, arguments))


if __name__ == "__main__":
    sys.exit(main())
