"""An hour of mixed work in one process: does memory creep, does a fixed piece of work get slower?

    python benchmarks/endurance.py --minutes 60 --plot endurance.png [--json-out FILE]

Batches of random size and random lengths, single texts and filled masks in all precisions, and now and then a short
training, in random order. Every twentieth of the time the process's memory and the processor time of one fixed batch
are noted. The first quarter fills caches; rows compare the end with what stood there after it.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import Report, options_of, parsed, row, run_program
from machine import machine

from albertkit.data.sample_text import sample_texts
from albertkit.hardware.device import choose_execution
from albertkit.hardware.processor import capabilities
from albertkit.inference.predictor import Predictor
from albertkit.inference.pretraining_predictor import fill_masks
from albertkit.io.progress import Console
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings

POINTS = 20
"""How often memory and speed are noted."""
FIXED = 64
"""Texts of the fixed batch."""
TRAINING = "three steps of training"
RARELY = 100
"""Of so many pieces of work one is a training."""


def texts_like(generator: np.random.Generator, sentences: Sequence[str]) -> list[str]:
    """Return 1 to 64 texts of 1 to 30 sentences."""
    count = int(2 ** generator.uniform(0, 6))
    return [" ".join(generator.choice(sentences, int(2 ** generator.uniform(0, 5)))) for _ in range(count)]


def kinds_of_work(
    model: str, threads: int, generator: np.random.Generator, sentences: Sequence[str]
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Return what the hour is made of."""
    good = {"bf16": capabilities().bf16, "fp16": capabilities().fbgemm, "int8": capabilities().any_int8}
    for precision in ("fp32", *(name for name, is_good in good.items() if is_good)):
        execution = choose_execution(device="cpu", precision=precision, threads=threads)
        predictor = Predictor.load(model, execution=execution)
        yield f"embed, {precision}", lambda predictor=predictor: predictor.embed(texts_like(generator, sentences))
        yield (
            f"one text, {precision}",
            lambda predictor=predictor: predictor.embed(str(generator.choice(sentences))),
        )
    loaded = Predictor.load(model, execution=choose_execution(device="cpu", precision="fp32", threads=threads))
    yield "fill", lambda: fill_masks(loaded, f"{generator.choice(sentences)} [MASK].")
    yield TRAINING, lambda: trained(model, threads)


def trained(model: str, threads: int) -> None:
    """Fine-tune for three steps and throw the result away."""
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as folder:
        settings = FinetuneSettings(
            model=model, data="polarity", out=f"{folder}/run", steps=3, limit=64, baseline=False, threads=threads
        )
        finetune(settings)


def measure(options: Any) -> Report:
    """Work for the time asked, return the notes."""
    import resource

    execution = choose_execution(device="cpu", precision="auto", threads=options.threads)
    generator = np.random.default_rng(1)
    sentences = np.array([sentence for text in sample_texts() for sentence in text.split(". ") if sentence])
    kinds = list(kinds_of_work(options.model, options.threads, generator, sentences))
    fixed = [" ".join(generator.choice(sentences, 1 + number % 12)) for number in range(FIXED)]
    probe = Predictor.load(options.model, execution=execution)
    seconds = 60 * options.minutes
    points: list[dict[str, float]] = []
    done = dict.fromkeys((name for name, _ in kinds), 0)
    began = time.monotonic()
    with Console().bar("working", total=POINTS) as advance:
        for number in range(1, POINTS + 1):
            while time.monotonic() - began < seconds * number / POINTS:
                rare = generator.integers(RARELY) == 0
                name, work = kinds[-1 if rare else int(generator.integers(len(kinds) - 1))]
                work()
                done[name] += 1
            gc.collect()
            costs = []
            for _ in range(3):
                before = time.process_time()
                probe.embed(fixed)
                costs.append(time.process_time() - before)
            points.append(
                {
                    "minutes": round((time.monotonic() - began) / 60, 2),
                    "megabytes": round(_resident() / 2**20, 1),
                    "fixed_batch_seconds": round(min(costs), 4),
                }
            )
            advance(1)
    first = points[POINTS // 4 - 1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cases = [
        row(
            f"mixed work, {name}",
            ours=points[-1][name],
            peer=first[name],
            unit=unit,
            peer_name="itself",
            peer_mode="after a quarter of the time",
            precision=execution.precision,
            peer_precision=execution.precision,
            minutes=points[-1]["minutes"],
        )
        for name, unit in (("megabytes", "MB"), ("fixed_batch_seconds", "s"))
    ]
    if options.plot is not None:
        draw(points, options.plot, title=f"{options.minutes:g} minutes of mixed work, {options.model}")
    return {
        "name": "endurance", "machine": machine(execution), "peaks": {"megabytes": round(peak, 1)}, "cases": cases,
        "calls": done, "points": points,
    }  # fmt: skip


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def draw(points: Sequence[dict[str, float]], path: Path, *, title: str) -> None:
    """Draw memory and the fixed batch's cost against time, each from zero."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    minutes = [point["minutes"] for point in points]
    for axis, key, label in (
        (axes[0], "megabytes", "resident memory, MB"),
        (axes[1], "fixed_batch_seconds", f"processor seconds for the same {FIXED} texts"),
    ):
        axis.plot(minutes, [point[key] for point in points], "o-", markersize=3.5)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("minutes")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = options_of(__doc__, threads=2, quick="a minute")
    parser.add_argument("--model", default="albert-nano", metavar="MODEL", help="known name or folder (%(default)s)")
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N", help="how long (%(default)g)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw memory and speed over time here (.png)")
    options = parsed(parser, arguments)
    if options.quick:
        options.minutes = 1.0
    return run_program(measure, options)


if __name__ == "__main__":
    sys.exit(main())
