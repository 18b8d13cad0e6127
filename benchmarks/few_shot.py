"""Few labels: `finetune --few-shot` against full fine-tuning and TF-IDF with logistic regression, several draws.

    python benchmarks/few_shot.py --data-dir data --out few_shot.json
    python benchmarks/few_shot.py --data-dir data --out few_shot.json --table

Each draw takes so many rows of each label from the training split, by seed, and scores at most 1,000 texts of another
split. Both runs are `albertkit.finetune` with its defaults. A run that is in the JSON already is not made again, so the
program can be stopped at any time. `data` holds `glue/SST-2` and `ag_news/`; where AG News has no train.csv, the rows
come from those of test.csv that are not scored.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from albertkit.data.examples import TextExample
from albertkit.datasets import open_data
from albertkit.hub.known_models import SHIPPED_MODEL
from albertkit.io.files import write_json
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings

TASKS = {"SST-2": "glue/sst2", "AG News": "ag_news"}
WAYS = {"few-shot": {"few_shot": True}, "full": {}}
TFIDF = "TF-IDF"
SCORED = 1000


def rows_of(data: str, folder: Path) -> tuple[list[TextExample], list[TextExample], tuple[str, ...]]:
    """Return the rows to draw from, those to score, and the names of the labels."""
    source = open_data(data, data_dir=str(folder))
    scored = source.split("dev" if "dev" in source.splits else "test").examples
    order = np.random.RandomState(0).permutation(len(scored)).tolist()
    test = [scored[row] for row in order[:SCORED]]
    pool = source.split("train").examples if "train" in source.splits else [scored[row] for row in order[SCORED:]]
    return list(pool), test, source.labels


def draw(pool: Sequence[TextExample], *, per_label: int, seed: int) -> list[TextExample]:
    """Return so many rows of each label."""
    labels = np.array([row.label for row in pool])
    random = np.random.RandomState(seed)
    drawn = [random.permutation(np.flatnonzero(labels == label))[:per_label] for label in np.unique(labels)]
    return [pool[row] for row in np.concatenate(drawn)]


def write(path: Path, rows: Sequence[TextExample], labels: Sequence[str]) -> None:
    """Write a table of texts and labels."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *((row.text, labels[row.label]) for row in rows)])


def measure(data: Path, way: str, *, model: str, seed: int, threads: int | None) -> dict[str, dict[str, Any]]:
    """Make one run; return its result, and with few-shot training that of TF-IDF on the same rows."""
    with tempfile.TemporaryDirectory() as temporary:
        settings = FinetuneSettings(
            model=model, data=str(data), out=f"{temporary}/run", seed=seed, threads=threads, plots=False,
            baseline=way == "few-shot", **WAYS[way],
        )  # fmt: skip
        started = time.process_time()
        report = finetune(settings)
    found: dict[str, Any] = {"accuracy": report.metrics["accuracy"], "processor_seconds": time.process_time() - started}
    if report.few_shot is not None:
        found |= {"chosen": report.few_shot.chosen, "candidates": [asdict(one) for one in report.few_shot.candidates]}
    if way != "few-shot":  # full fine-tuning holds rows out, and so would its baseline
        return {way: found}
    (tfidf,) = (baseline for baseline in report.baselines if baseline.name.startswith("tfidf"))
    return {way: found, TFIDF: {"accuracy": tfidf.metrics["accuracy"], "processor_seconds": tfidf.seconds}}


def table(results: dict[str, Any]) -> str:
    """Return the Markdown table: mean and standard deviation of the draws."""
    lines = ["| | rows per label | draws | few-shot | full fine-tuning | TF-IDF + logistic regression | chosen |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, per_label in dict.fromkeys(tuple(key.split(" | ")[:2]) for key in results):
        cells, draws, chosen = [], 0, []
        for way in (*WAYS, TFIDF):
            found = [value for key, value in results.items() if key.startswith(f"{name} | {per_label} | {way} | ")]
            scores = [value["accuracy"] for value in found]
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            cells.append(f"{statistics.mean(scores):.1f} ± {spread:.1f}" if scores else "")
            draws = max(draws, len(scores))
            chosen += [value["chosen"] for value in found if "chosen" in value]
        counts = ", ".join(f"{kind} {chosen.count(kind)}" for kind in sorted(set(chosen)))
        lines.append(f"| {name} | {per_label} | {draws} | {' | '.join(cells)} | {counts} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON of results; grows run by run")
    parser.add_argument("--model", default=SHIPPED_MODEL, help="a known model or a model folder (%(default)s)")
    parser.add_argument("--only", default="", help="data sets whose name contains this")
    parser.add_argument("--per-label", type=int, nargs="+", default=[8, 64], help="rows per label (8 64)")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print the table of what is there, run nothing")
    options = parser.parse_args()
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    if not options.table:
        chosen = {name: rows_of(data, options.data_dir) for name, data in TASKS.items() if options.only in name}
        wanted = [
            (seed, name, per_label, way)
            for seed in range(1, options.draws + 1)
            for name in chosen
            for per_label in options.per_label
            for way in WAYS
        ]
        for seed, name, per_label, way in wanted:
            key = f"{name} | {per_label} | {{}} | {seed}"
            if key.format(way) in results:
                continue
            pool, test, labels = chosen[name]
            with tempfile.TemporaryDirectory() as folder:
                write(Path(folder) / "train.csv", draw(pool, per_label=per_label, seed=seed), labels)
                write(Path(folder) / "test.csv", test, labels)
                found = measure(Path(folder), way, model=options.model, seed=seed, threads=options.threads)
            results |= {key.format(kind): value for kind, value in found.items()}
            write_json(options.out, results)
            print(key.format(way), {kind: round(value["accuracy"], 1) for kind, value in found.items()}, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
