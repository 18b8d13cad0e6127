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
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
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
    """Return the rows."""
    glue, imdb = str(data_dir / "glue"), str(data_dir / "aclImdb")
    frozen: dict[str, Any] = {"freeze_encoder": True, "pooling": "mean", "head_hidden": (64,), "head_norm": "batch"}
    frozen |= {"epochs": 30, "validation": 0.1}
    rows = [
        ("polarity", "polarity", None, {"max_length": 128}),
        ("RTE", "glue/rte", glue, {"max_length": 128, "epochs": 3}),
        ("MRPC", "glue/mrpc", glue, {"max_length": 128, "epochs": 3}),
        ("STS-B", "glue/stsb", glue, {"max_length": 128, "epochs": 3}),
        ("SST-2", "glue/sst2", glue, {"max_length": 64, "epochs": 2}),
        ("IMDB, 128 tokens", "imdb", imdb, {"max_length": 128, "epochs": 2, "validation": 0.1}),
    ]
    found = []
    for name, data, folder, settings in rows:
        length = {"max_length": settings["max_length"]}
        found.append(Task(f"{name}: frozen", data, folder, frozen | length))
        found.append(Task(f"{name}: fine-tuned", data, folder, {"pooling": "mean"} | settings))
    whole = {"max_length": 512, "epochs": 2, "validation": 0.1, "pooling": "mean"}
    found.append(Task("IMDB, 512 tokens: frozen", "imdb", imdb, frozen | {"max_length": 512}))
    found.append(Task("IMDB, 512 tokens: fine-tuned", "imdb", imdb, whole))
    return found


def runs(chosen: list[Task], model: str | None) -> Iterator[tuple[Task, str, int]]:
    """Return every run: task, start, seed."""
    for task in chosen:
        for seed in SEEDS:
            yield task, model or SHIPPED, seed
            yield task, "random", seed


def measure(task: Task, start: str, seed: int, *, folder: Path, threads: int | None) -> dict[str, Any]:
    """Make one run and return its metrics."""
    model = str(random_start(folder, seed)) if start == "random" else start
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


def random_start(folder: Path, seed: int) -> Path:
    """Return the folder of a network with random weights; made when it is not there."""
    path = folder / f"random-{seed}"
    if not path.exists():
        save_model(fresh_model(SHIPPED, seed=seed), path)
    return path


def made(
    open_runs: dict[str, tuple[Task, str, int]], *, folder: Path, threads: int | None, jobs: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make the runs, some side by side in their own processes; yield each when done. One that fails is told."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = {
            pool.submit(measure, *run, folder=folder, threads=threads): key for key, run in reversed(open_runs.items())
        }
        for done in as_completed(waiting):
            try:
                yield waiting[done], done.result()
            except Exception as error:  # one failed run must not cost the hours of the others
                print(f"{waiting[done]} failed: {error!r}", file=sys.stderr, flush=True)


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
    parser.add_argument("--start", choices=("nano", "random"), help="of this start alone; both when left out")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, for a GPU and many cores (%(default)s)")
    parser.add_argument("--work", type=Path, help="folder for the runs; a temporary one when left out")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, run nothing")
    options = parser.parse_args()
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    chosen = [task for task in tasks(options.data_dir) if options.only in task.name]
    if not options.table:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.work or Path(temporary)
            open_runs = {
                f"{task.name} | {Path(start).name} | {seed}": (task, start, seed)
                for task, start, seed in runs(chosen, options.model)
                if seed <= options.seeds and options.start in (None, "random" if start == "random" else "nano")
            }
            for key in results:
                open_runs.pop(key, None)
            folder.mkdir(parents=True, exist_ok=True)
            for seed in {seed for _, start, seed in open_runs.values() if start == "random"}:
                random_start(folder, seed)
            for key, result in made(open_runs, folder=folder, threads=options.threads, jobs=options.jobs):
                results[key] = result
                write_json(options.out, results)
                print(key, result, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
