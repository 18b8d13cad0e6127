"""What a model is worth: vectors, frozen features, fine-tuned heads next to random weights and TF-IDF, several seeds.

    python benchmarks/worth.py --data-dir data --out worth.json
    python benchmarks/worth.py --data-dir data --out worth.json --starts albert-nano runs/mine/model --only vectors
    python benchmarks/worth.py --data-dir data --out worth.json --table

A run that is in the JSON already is not made again, so the program can be stopped at any time. `worth_rows.py` has the
rows; `data` holds `glue/`, `aclImdb/`, `sick/`, `ag_news/` and `ner_conllpp/`.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from worth_rows import Row, rows_of

from albertkit.hub.known_models import SHIPPED_MODEL
from albertkit.io.files import write_json
from albertkit.models.pretrained import fresh_model, save_model

RANDOM = "random"


def measure(row: Row, start: str, seed: int, *, folder: Path, threads: int | None) -> dict[str, Any]:
    """Make one run and return its metrics."""
    model = str(random_start(folder, seed)) if start == RANDOM else start
    # The whole path of a start: two runs' models are both called model.
    out = folder / re.sub(r"[^\w-]+", "_", f"{row.name}-{start}-{seed}")
    started = time.perf_counter()
    metrics = row.measure(model, seed=seed, out=out, threads=threads)
    return {"metrics": metrics, "seconds": time.perf_counter() - started}


def random_start(folder: Path, seed: int) -> Path:
    """Return the folder of a network with random weights; made when it is not there."""
    path = folder / f"random-{seed}"
    if not path.exists():
        save_model(fresh_model(SHIPPED_MODEL, seed=seed), path)
    return path


def made(
    open_runs: dict[str, tuple[Row, str, int]], *, folder: Path, threads: int | None, jobs: int
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
    """Return the Markdown table: mean and spread (largest less smallest) of the seeds, and TF-IDF's mean."""
    keys = [key.split(" | ") for key in results]
    starts = sorted({start for _, start, _ in keys}, key=lambda start: (start != RANDOM, start))
    lines = [f"| | metric | seeds | {' | '.join(starts)} | TF-IDF |", "|---" * (len(starts) + 4) + "|"]
    for name in dict.fromkeys(name for name, _, _ in keys):
        found = {
            start: [value["metrics"] for key, value in results.items() if key.startswith(f"{name} | {start} |")]
            for start in starts
        }
        every = [metrics for start in starts for metrics in found[start]]
        metric = next(iter(every[0]))
        tfidf = [metrics["tfidf"] for metrics in every if "tfidf" in metrics]
        cells = [_cell([metrics[metric] for metrics in found[start]]) for start in starts]
        seeds = max(len(values) for values in found.values())
        lines.append(f"| {name} | {metric} | {seeds} | {' | '.join(cells)} | {_cell(tfidf)} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    digits = 3 if max(values) <= 1 else 1
    spread = f" ({max(values) - min(values):.{digits}f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON of results; grows run by run")
    parser.add_argument(
        "--starts", nargs="+", default=[RANDOM, SHIPPED_MODEL], help="models, and random weights (%(default)s)"
    )
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--seeds", type=int, help="at most so many of each row")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, for a GPU and many cores (%(default)s)")
    parser.add_argument("--work", type=Path, help="folder for the runs; a temporary one when left out")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, run nothing")
    options = parser.parse_args()
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    if not options.table:
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.work or Path(temporary)
            open_runs = {
                f"{row.name} | {start} | {seed}": (row, start, seed)
                for row in rows_of(options.data_dir)
                if options.only in row.name
                for seed in range(1, min(row.draws, options.seeds or row.draws) + 1)
                for start in options.starts
            }
            for key in results:
                open_runs.pop(key, None)
            folder.mkdir(parents=True, exist_ok=True)
            for seed in {seed for _, start, seed in open_runs.values() if start == RANDOM}:
                random_start(folder, seed)
            for key, result in made(open_runs, folder=folder, threads=options.threads, jobs=options.jobs):
                results[key] = result
                write_json(options.out, results)
                print(key, result, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
