"""The driver of a job: cut the input, let the workers make the parts, keep the journal, write the manifest."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from albertkit.datasets.text_files import require_sliceable
from albertkit.errors import DataError, RunError, UsageError
from albertkit.io.locks import locked
from albertkit.io.progress import Progress, Silent
from albertkit.scaling.cluster import cluster, results
from albertkit.scaling.folder import OutputFolder
from albertkit.scaling.job import Job
from albertkit.scaling.slices import cut
from albertkit.tasks.truncation import Truncation


@dataclass(frozen=True)
class Report:
    """What a job has made."""

    texts: int
    """Rows of the whole output."""
    parts: int
    made: int
    """Parts that were not there before."""
    blank: int
    """Texts without a character but blanks."""
    truncation: Truncation
    """How many texts were longer than the model reads."""
    dimensions: int
    """Of a vector; 0 of predictions."""
    seconds: float
    """From the start of the cluster to the manifest."""


def output_folder(output: str, source: Path) -> Path:
    """Return the whole path of the folder that `--output` names under `--ray`.

    Raises:
        UsageError: it has the ending of a file, or is one.
    """
    target = Path(output)
    require_sliceable(source)
    if target.suffix in (".npy", ".parquet", ".jsonl") or target.is_file():
        raise UsageError(f'--output "{output}" names a file; with --ray it is the folder for the parts')
    return target.resolve()


def run_job(
    job: Job, *, address: str, workers: int | None = None, threads: int | None = None, progress: Progress | None = None
) -> Report:
    """Run a job on a Ray cluster; resume it if it was stopped.

    Args:
        job: the job; this function sets its number of threads.
        address: `local`, or the address of a cluster.
        workers: the maximum number of workers; one per node by default.
        threads: processors of a worker; left out, its share.
        progress: gets the progress reports.

    Raises:
        UsageError: CSV or TSV, a number below 1, or a device that no node has.
        DataError: a row cannot be used; the folder is left without a manifest.
        RunError: the folder holds something else, or is being written to.
        MissingExtraError: Ray or pyarrow is not installed.
        AlbertkitError: whatever else a worker tells in a sentence.
    """
    for name, number in (("workers", workers), ("threads", threads)):
        if number is not None and number < 1:
            raise UsageError(f"--{name} is {number}; it must be 1 or more")
    progress = progress or Silent()
    parts = cut(job.input, job.columns)
    started = time.perf_counter()
    made = 0
    with locked(job.output, option="--output"):
        output = OutputFolder(job, parts)
        if not output.finished:
            made = _fill(job, output, address=address, workers=workers, threads=threads, progress=progress)
    lines = list(output.done.values())
    return Report(
        texts=sum(int(line["rows"]) for line in lines),
        parts=len(lines),
        made=made,
        blank=sum(int(line["blank"]) for line in lines),
        truncation=sum((Truncation.from_dict(line.get("truncation", {})) for line in lines), Truncation()),
        dimensions=int(lines[0]["dimensions"]),
        seconds=round(time.perf_counter() - started, 3),
    )


def _fill(
    job: Job, output: OutputFolder, *, address: str, workers: int | None, threads: int | None, progress: Progress
) -> int:
    missing = output.missing
    verb = {"embed": "embedding", "predict": "predicting"}[job.verb]
    with progress.bar(verb, total=sum(part.rows for part in output.parts.values())) as advance:
        there = sum(int(line["rows"]) for line in output.done.values())
        if there:
            progress.report(f"{len(output.done)} of {len(output.parts)} parts are there already")
            advance(there)
        if missing:
            with cluster(address, workers=workers, threads=threads, device=job.device) as shares:
                ready = replace(job, threads=shares.threads, device="cuda" if shares.gpus else job.device)
                for result in results(ready, missing, shares=shares, size=output.settings["input"]["bytes"]):
                    line = dict(result)
                    error = line.pop("error")
                    if error:
                        raise DataError(error)
                    _require_one_precision(output, line)
                    output.add(line)
                    advance(int(line["rows"]))
    if output.missing:  # Ray says that all is done
        raise RunError(f"{output.path}: {len(output.missing)} parts are missing; the same command makes them")
    output.finish()
    return len(missing)


def _require_one_precision(output: OutputFolder, line: dict[str, object]) -> None:
    first = next(iter(output.done.values()), line)
    if first["precision"] != line["precision"]:
        raise UsageError(
            f"some workers take {first['precision']} and others {line['precision']} as the best of their hardware; "
            "give one with --precision, and a new folder"
        )
