"""What pretraining is worth: albert-nano against the same network from random weights, same recipe, several seeds.

    python benchmarks/worth.py --data-dir data --out worth.json
    python benchmarks/worth.py --data-dir data --out worth.json --table

Every run is `albertkit.finetune` with the settings below; a run that stands in the JSON already is not made again, so
the program can be stopped at any time. `data` holds `glue/` and `aclImdb/`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albertkit.files import write_json
from albertkit.model_files import SHIPPED
from albertkit.pretrained import fresh_model, save_model
from albertkit.training.finetune import finetune
from albertkit.training.settings import FinetuneSettings

SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Task:
    """One row of the table: a data set and a way to train on it."""

    name: str
    data: str
    folder: str | None
    settings: dict[str, Any]


def tasks(data_dir: Path) -> list[Task]:
    """Return the rows; the cheap ones first."""
    glue, imdb = str(data_dir / "glue"), str(data_dir / "aclImdb")
    frozen: dict[str, Any] = {"freeze_encoder": True, "pooling": "mean", "head_hidden": (64,), "head_norm": "batch"}
    frozen |= {"epochs": 30, "validation": 0.1}
    rows = [
        ("polarity", "polarity", None, {"max_length": 128}),
        ("RTE", "glue/rte", glue, {"max_length": 128, "epochs": 5}),
        ("MRPC", "glue/mrpc", glue, {"max_length": 128, "epochs": 5}),
        ("STS-B", "glue/stsb", glue, {"max_length": 128, "epochs": 5}),
        ("SST-2", "glue/sst2", glue, {"max_length": 64, "epochs": 2}),
        ("IMDB, 128 tokens", "imdb", imdb, {"max_length": 128, "epochs": 2, "validation": 0.1}),
    ]
    found = []
    for name, data, folder, settings in rows:
        length = {"max_length": settings["max_length"]}
        found.append(Task(f"{name}: frozen", data, folder, frozen | length))
        found.append(Task(f"{name}: fine-tuned", data, folder, settings))
    found.append(Task("IMDB, 512 tokens: frozen", "imdb", imdb, frozen | {"max_length": 512}))
    found.append(
        Task("IMDB, 512 tokens: fine-tuned", "imdb", imdb, {"max_length": 512, "epochs": 2, "validation": 0.1})
    )
    return found


def runs(chosen: list[Task], model: str | None) -> Iterator[tuple[Task, str, int]]:
    """Return every run: task, start, seed."""
    for task in chosen:
        for seed in SEEDS:
            yield task, model or SHIPPED, seed
            yield task, "random", seed


def measure(task: Task, start: str, seed: int, *, folder: Path, threads: int | None) -> dict[str, Any]:
    """Make one run and return its metrics."""
    model = start
    if start == "random":
        model = str(folder / f"random-{seed}")
        if not Path(model).exists():
            save_model(fresh_model(SHIPPED, seed=seed), model)
    out = folder / f"{task.name}-{Path(start).name}-{seed}".replace(" ", "_").replace(":", "").replace(",", "")
    settings = FinetuneSettings(
        model=model,
        data=task.data,
        data_dir=task.folder,
        out=str(out),
        seed=seed,
        baseline=False,
        threads=threads,
        **task.settings,
    )
    report = finetune(settings, resume=True)
    return {"metrics": dict(report.metrics), "split": report.split, "seconds": report.seconds}


def table(results: dict[str, Any]) -> str:
    """Return the Markdown table: mean and spread (largest less smallest) of the seeds."""
    lines = ["| | metric | random start | albert-nano |", "|---|---|---|---|"]
    for name in dict.fromkeys(key.split(" | ")[0] for key in results):
        rows = {
            start: [value["metrics"] for key, value in results.items() if key.startswith(f"{name} | {start} |")]
            for start in ("random", *sorted({key.split(" | ")[1] for key in results} - {"random"}))
        }
        metric = next(iter(next(iter(row for row in rows.values() if row))[0]))
        cells = []
        for found in rows.values():
            values = [metrics[metric] for metrics in found]
            cells.append(f"{statistics.mean(values):.2f} ({max(values) - min(values):.2f})" if values else "")
        lines.append(f"| {name} | {metric} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON of results; grows run by run")
    parser.add_argument("--model", help="instead of the shipped weights: a model folder")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--work", type=Path, help="folder for the runs; a temporary one when left out")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, run nothing")
    options = parser.parse_args()
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    chosen = [task for task in tasks(options.data_dir) if options.only in task.name]
    if not options.table:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.work or Path(temporary)
            for task, start, seed in runs(chosen, options.model):
                key = f"{task.name} | {Path(start).name} | {seed}"
                if key in results or seed > options.seeds:
                    continue
                results[key] = measure(task, start, seed, folder=folder, threads=options.threads)
                write_json(options.out, results)
                print(key, results[key], flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
