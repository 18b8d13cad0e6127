"""`albertkit glue`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.help import Command
from albertkit.cli.options import execution_options, json_option, notes_on_stderr, print_json


def _names(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:  # noqa: ARG001 - click's
    return tuple(name for part in value.split(",") if (name := part.strip()))


@click.command(
    cls=Command, epilog="Example: albertkit glue --model albert-nano --data-dir glue_data --out runs/glue --seeds 5"
)
@click.option(
    "--model",
    default="albert-nano",
    show_default=True,
    help="Known model, model folder or run directory to start from.",
)
@click.option("--data-dir", required=True, help="GLUE folder in the official layout, or an archive of it.")
@click.option(
    "--out",
    "--output",
    "out",
    required=True,
    help="Folder to create, with a run directory per task and seed, and the table.",
)
@click.option(
    "--tasks", default="", callback=_names, metavar="A,B,..", show_default="all", help="Tasks to run, such as cola,rte."
)
@click.option("--seeds", type=int, default=1, show_default=True, help="Runs per task; the table shows medians.")
@click.option(
    "--nli",
    show_default="the MNLI run",
    help="Run on natural language inference from which RTE, MRPC and STS-B start, as in the paper.",
)
@click.option("--epochs", type=int, show_default="per recipe", help="Passes over the training split.")
@click.option("--steps", type=int, show_default="from --epochs", help="Optimizer steps, instead of epochs.")
@click.option("--batch-size", type=int, show_default="per recipe", help="Examples per optimizer step.")
@click.option(
    "--learning-rate", "--lr", "learning_rate", type=float, show_default="per recipe", help="Peak learning rate."
)
@click.option(
    "--max-length", type=int, show_default="per recipe", help="Longest input in tokens; longer texts are truncated."
)
@click.option(
    "--limit", type=int, show_default="all", help="Use only the first N examples of train and dev (trial run)."
)
@click.option("--resume", is_flag=True, help="Continue an interrupted run, or add tasks or seeds.")
@execution_options
@json_option
def command(out: str, resume: bool, as_json: bool, **options: Any) -> None:
    """Fine-tune and score all GLUE tasks, and write the server's zip file.

    Each task is fine-tuned with its own recipe in OUT/TASK/seed-N; a task whose data are not there is named as
    missing. RTE, MRPC and STS-B start from the MNLI run where there is one. OUT/table.md and table.json hold the
    scores on dev and published scores; the zip holds predictions of the test splits.
    """
    from rich.console import Console as RichConsole

    from albertkit.errors import RunError
    from albertkit.io.progress import Console
    from albertkit.training.glue.runs import run_glue
    from albertkit.training.glue.settings import GlueSettings

    settings = GlueSettings(out=out, **options)
    try:
        with notes_on_stderr():
            table = run_glue(settings, resume=resume, progress=Console())
    except KeyboardInterrupt:
        click.echo(f"stopped; repeat the command with --resume to continue in {out}", err=True)
        raise SystemExit(130) from None
    if as_json:
        print_json(table.to_dict())
    else:
        table.render(RichConsole(highlight=False))
        click.echo(f"table: {out}/table.md, {out}/table.json")
    if table.failed:
        raise RunError(f"{len(table.failed)} of the runs failed ({table.failed[0]}); --resume tries them again")
