"""`albertkit glue`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.options import execution_options, json_option, notes_on_stderr, print_json


def _names(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:  # noqa: ARG001 - click's
    return tuple(name for part in value.split(",") if (name := part.strip()))


@click.command(epilog="Example: albertkit glue --model albert-nano --data-dir glue_data --out runs/glue --seeds 5")
@click.option("--model", default="albert-nano", show_default=True, help="A known model, a model folder or a run.")
@click.option("--data-dir", required=True, help="GLUE's folder in the official layout, or an archive of it.")
@click.option(
    "--out",
    "--output",
    "out",
    required=True,
    help="The folder to make: a run directory for each task and seed, and the table.",
)
@click.option("--tasks", default="", callback=_names, metavar="A,B,..", help="Such as cola,rte; all when left out.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Runs of each task; the table has medians.")
@click.option("--nli", help="A run on natural language inference: RTE, MRPC and STS-B start from it, as in the paper.")
@click.option("--epochs", type=int, help="Passes over the training split, instead of each recipe's.")
@click.option("--steps", type=int, help="Optimizer steps, instead of epochs.")
@click.option("--batch-size", type=int, help="Examples of one optimizer step, instead of each recipe's.")
@click.option(
    "--learning-rate", "--lr", "learning_rate", type=float, help="The highest rate, instead of each recipe's."
)
@click.option("--max-length", type=int, help="Longest input in tokens, instead of each recipe's.")
@click.option("--limit", type=int, help="Only the first N examples of train and dev: a trial.")
@click.option("--resume", is_flag=True, help="Go on with what was stopped, or with more tasks or seeds.")
@execution_options
@json_option
def command(out: str, resume: bool, as_json: bool, **options: Any) -> None:
    """All tasks of GLUE, the table, and the server's zip.

    Each task is fine-tuned with its own recipe in OUT/TASK/seed-N; a task whose data are not there is named as
    missing. RTE, MRPC and STS-B start from the MNLI run where there is one. OUT/table.md and table.json hold the
    scores on dev beside published ones; the zip holds predictions of the test splits.
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
        click.echo(f"stopped; the same command with --resume continues with what is not done in {out}", err=True)
        raise SystemExit(130) from None
    if as_json:
        print_json(table.to_dict())
    else:
        table.render(RichConsole(highlight=False))
        click.echo(f"table: {out}/table.md, {out}/table.json")
    if table.failed:
        raise RunError(f"{len(table.failed)} of the runs failed ({table.failed[0]}); --resume tries them again")
