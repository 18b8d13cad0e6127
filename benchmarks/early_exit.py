"""What early exit costs and gains: accuracy, layers and texts/s by patience and by entropy, next to full depth.

Without --run it first fine-tunes albert-nano with exits on the film snippets that albertkit ships.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from machine import machine, matrix_peaks

from albertkit.datasets import open_data
from albertkit.datasets.dataset import Dataset
from albertkit.errors import AlbertkitError, UsageError
from albertkit.evaluation.drawing import (
    COLOURS,
    INK,
    MARKERS,
    add_legend,
    add_title,
    new_figure,
    style_axes,
    value_limits,
    write_png,
)
from albertkit.evaluation.evaluate import aligned_labels, scored_split
from albertkit.hardware.device import Execution, choose_execution
from albertkit.inference.early_exit import EarlyExitRuntime
from albertkit.inference.predictor import Predictor
from albertkit.inference.running import run_outputs
from albertkit.io.files import write_json
from albertkit.scoring.metrics import metric_title, score
from albertkit.tasks.classification import ClassificationTask
from albertkit.tasks.encoded import Encoded, unit_logits
from albertkit.tasks.exit_rules import ExitRule

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Entropies that are tried, as shares of the largest that there is: of equal probabilities."""
AGREEMENT = {"fp32": 1e-3, "bf16": 0.3, "fp16": 0.1}
"""By how much logits of full depth may differ from those of texts that never leave: another order of the same sums."""

FloatArray = npt.NDArray[np.float32]


@dataclass
class Point:
    """One setting and what it gave."""

    case: str
    kind: str
    """`full depth`, `patience`, `entropy` or `layer`."""
    rule: ExitRule | None
    predictor: Predictor
    value: float = 0.0
    """Of the data's main metric."""
    layers: float = 0.0
    """That a text passed, on average."""
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Seconds of all cores, which other work on the machine hardly moves."""


def settings_of(predictor: Predictor, *, tolerance: float | None) -> list[Point]:
    """Return full depth and every rule that the model's task can follow."""
    task, layers = predictor.model.task, predictor.model.network.config.num_hidden_layers
    assert task is not None
    found = [Point("full depth", "full depth", None, predictor)]
    rules = [ExitRule(patience=patience, tolerance=tolerance) for patience in range(1, layers)]
    if task.name == "classification":
        most = math.log(len(predictor.labels))
        rules += [ExitRule(entropy=round(share * most, 3)) for share in SHARES]
    for rule in rules:
        kind = "entropy" if rule.patience is None else "patience"
        found.append(Point(str(rule), kind, rule, predictor.early_exit(rule)))
    return found


def logits_of(predictor: Predictor, encoded: Encoded) -> FloatArray:
    """Return one row a text."""
    return unit_logits(run_outputs(predictor.runtime, encoded.sequences), encoded)


def measure(
    predictor: Predictor, dataset: Dataset, *, rounds: int, tolerance: float | None
) -> tuple[list[Point], float]:
    """Score and time every setting, one round of each in turn.

    Returns:
        The points, the full depth first; and the largest difference between full depth and texts that never leave.
    """
    task = predictor.model.task
    if not isinstance(task, ClassificationTask):
        raise UsageError(f"{predictor.model.source} is no classifier and no regression: early exit is for those")
    dataset = aligned_labels(dataset, task=task, labels=predictor.labels, model=predictor.model.source)
    targets = task.targets(dataset.examples, num_labels=max(len(predictor.labels), 1))
    encoded = predictor.encode(dataset.examples)
    points = settings_of(predictor, tolerance=tolerance)
    rows: dict[str, FloatArray] = {}
    for number in range(1 + rounds):
        for point in points:
            started, cpu = time.perf_counter(), time.process_time()
            rows[point.case] = logits_of(point.predictor, encoded)
            if number:  # the first round warms up
                point.seconds.append(time.perf_counter() - started)
                point.cpu.append(time.process_time() - cpu)
    metric = dataset.metrics[0]
    for point in points:
        found = score([metric], task=task.name, labels_true=targets, outputs=task.predicted(rows[point.case]),
                      num_labels=max(len(predictor.labels), 1))  # fmt: skip
        point.value = found.metrics[metric]
        runtime = point.predictor.runtime
        layers = predictor.model.network.config.num_hidden_layers
        point.layers = runtime.mean_layers if isinstance(runtime, EarlyExitRuntime) else float(layers)
    never = next(point for point in points if point.kind == "patience" and point.layers == layers)
    difference = float(np.abs(rows["full depth"] - rows[never.case]).max())
    if not difference < AGREEMENT[predictor.execution.precision]:
        raise AlbertkitError(f"texts that never leave differ from full depth by {difference:g}: not the same network")
    return points, difference


def cases(
    points: Sequence[Point], *, metric: str, texts: int, precision: str, difference: float
) -> Iterator[dict[str, Any]]:
    """Return a row a setting."""
    full = points[0]
    for point in points:
        ours, peer = statistics.median(point.seconds), statistics.median(full.seconds)
        yield {
            "case": point.case,
            "texts": texts,
            "metric": metric,
            "value": round(point.value, 2),
            "mean_layers": round(point.layers, 3),
            "precision": precision,
            "unit": "texts/s",
            "ours": round(texts / ours, 1),
            "peer": round(texts / peer, 1),
            "peer_name": "albertkit, full depth",
            "peer_mode": "best",
            "peer_precision": precision,
            "ratio": round(peer / ours, 2),
            "processor_time_ratio": round(statistics.median(full.cpu) / statistics.median(point.cpu), 2),
            "max_difference": difference,
        }


def draw(rows: Sequence[Mapping[str, Any]], *, path: Path, title: str) -> Path:
    """Draw the metric over mean layers and over speed, a line for each rule, full depth dashed; return the path.

    Speed is by processor time, which is elapsed time on one thread of a quiet machine and holds on a busy one.
    """
    full = rows[0]
    figure = new_figure(9.0, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    lines: list[Any] = []
    names: list[str] = []
    labels = {
        "mean_layers": "layers that a text passes, mean",
        "processor_time_ratio": "texts per second of processor time (full depth: 1)",
    }
    for axes, (key, label) in zip(panels, labels.items(), strict=True):
        lines, names = [axes.axhline(full["value"], color=INK, linewidth=1.2, linestyle=(0, (4, 2)))], ["full depth"]
        axes.plot([full[key]], [full["value"]], marker="o", markersize=6, color=INK, linestyle="none")
        for number, kind in enumerate(("patience", "entropy")):
            own = [row for row in rows if row["case"].startswith(kind)]
            own.sort(key=lambda row: float(row["mean_layers"]))
            if not own:
                continue
            lines.append(
                axes.plot(
                    [row[key] for row in own], [row["value"] for row in own],
                    color=COLOURS[number], marker=MARKERS[number], markersize=5, linewidth=1.6,
                )[0]
            )  # fmt: skip
            names.append(kind)
            for row in own if kind == "patience" else ():
                axes.annotate(
                    row["case"].split()[1].rstrip(","), (row[key], row["value"]), textcoords="offset points",
                    xytext=(0, 7), ha="center", fontsize=8, color=COLOURS[number],
                )  # fmt: skip
        style_axes(axes, x=label, y=metric_title(full["metric"]) if axes is panels[0] else "")
        value_limits(axes, [[row["value"] for row in rows]], name=full["metric"])
    add_legend(figure, lines, names, loc="outside lower center", columns=3)
    add_title(figure, title)
    return write_png(figure, path)


def trained(folder: Path, execution: Execution, *, quick: bool) -> Path:
    """Fine-tune albert-nano with exits on the shipped snippets and return the run."""
    from albertkit.training.finetune import finetune
    from albertkit.training.settings import FinetuneSettings

    settings = FinetuneSettings(
        model="albert-nano", data="polarity", out=str(folder / "run"), exits=True, pooling="mean", epochs=1,
        train_limit=800 if quick else None, baseline=False, device=execution.device, precision=execution.precision,
        threads=execution.threads,
    )  # fmt: skip
    finetune(settings)
    return folder / "run"


def report_of(options: argparse.Namespace) -> dict[str, Any]:
    """Measure and return the report."""
    execution = choose_execution(device="cpu", precision=options.precision, threads=options.threads)
    report: dict[str, Any] = {"name": "early_exit", "machine": machine(execution)}
    report["peaks"] = matrix_peaks(size=1024, repeats=3)
    with tempfile.TemporaryDirectory(prefix="albertkit-benchmark-") as parent:
        run = options.run or trained(Path(parent), execution, quick=options.quick)
        torch.set_num_threads(execution.threads)
        source = open_data(options.data, data_dir=options.data_dir)
        dataset = scored_split(source, options.split).take(options.limit)
        predictor = Predictor.load(run, execution=execution)
        points, difference = measure(predictor, dataset, rounds=options.rounds, tolerance=options.tolerance)
    report["cases"] = list(
        cases(
            points, metric=dataset.metrics[0], texts=len(dataset), precision=execution.precision, difference=difference
        )
    )
    if options.plot is not None:
        draw(report["cases"], path=options.plot, title=f"{dataset.name} {dataset.split}, {len(dataset):,} texts")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print JSON, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", metavar="RUN", help="fine-tuned with --exits; left out, one is trained")
    parser.add_argument("--data", default="polarity", metavar="DATA", help="known data set or table (%(default)s)")
    parser.add_argument("--data-dir", metavar="DIR", help="local copy of the data set")
    parser.add_argument("--split", metavar="NAME", help="which split; test where it is labelled, else dev")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N examples")
    parser.add_argument("--tolerance", type=float, metavar="T", help="of a regression, see albertkit predict")
    parser.add_argument("--precision", default="auto", help="fp32, bf16 or auto (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="timed rounds (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="processor threads (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="train on 800 texts")
    parser.add_argument("--plot", type=Path, metavar="F.png", help="draw the curves there")
    parser.add_argument("--json-out", type=Path, metavar="FILE", help="write the JSON here, too")
    options = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = report_of(options)
        if options.json_out is not None:
            write_json(options.json_out, report)
    except AlbertkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
