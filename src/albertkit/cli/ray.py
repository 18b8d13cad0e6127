"""A job on a Ray cluster, for the commands that have `--ray`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.options import print_json


def run_and_tell(job: Any, *, address: str, workers: int | None, threads: int | None, as_json: bool) -> None:
    """Run a `Job` and print its report; after Ctrl-C, print how to resume."""
    from albertkit.io.counts import counted_noun
    from albertkit.io.progress import Console
    from albertkit.scaling.run import run_job

    try:
        report = run_job(job, address=address, workers=workers, threads=threads, progress=Console())
    except KeyboardInterrupt:
        click.echo(f"stopped; repeat the command to continue with the parts missing in {job.output}", err=True)
        raise SystemExit(130) from None
    what = "their vectors" if job.verb == "embed" else "their predictions"
    if report.blank:
        click.echo(
            f"note: {report.blank:,} of {report.texts:,} texts are empty or blank; {what} mean nothing", err=True
        )
    if (truncated := report.truncation.note()) is not None:
        click.echo(f"note: {truncated}", err=True)
    if as_json:
        dimensions = {"dimensions": report.dimensions} if job.verb == "embed" else {}
        counts = {"parts": report.parts, "made": report.made, "seconds": report.seconds}
        print_json({"texts": report.texts, **dimensions, **counts})
        return
    if job.verb == "embed":
        made = f"{counted_noun(report.texts, 'vector')} of {report.dimensions}"
    else:
        made = counted_noun(report.texts, "prediction")
    parts = counted_noun(report.parts, "part")
    there = "" if report.made == report.parts else f", {report.parts - report.made} of them already done"
    click.echo(f"{made} in {parts}{there}, {report.seconds} s: {job.output}")
