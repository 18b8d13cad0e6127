"""`albertkit distill`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.options import encoding_option, execution_options, json_option, print_json


@click.command(
    epilog="Example: albertkit distill --teacher my-teacher --config albert-nano --data texts.txt --out runs/student"
)
@click.option(
    "--teacher",
    required=True,
    help="A sentence-transformers folder, an albertkit model, run or export, or vectors: .npy (one row per text) or "
    ".parquet (text, vector).",
)
@click.option("--model", help="The student: train this known model, model folder or run further.")
@click.option("--config", help="The student starts from fresh weights: a known model's name, or a config.json.")
@click.option(
    "--data",
    multiple=True,
    metavar="FILE",
    help="Texts, one per line (.txt, .gz, .xz), or a table, or a folder of .txt files; more files may follow. Not "
    "needed with a .parquet teacher.",
)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--out", "--output", "out", required=True, help="The run directory to make.")
@click.option("--text-column", help="Column of the text, when --data is a table.")
@encoding_option
@click.option(
    "--start",
    type=click.Choice(["teacher", "widen", "keep"]),
    help="Word embeddings: the teacher's vectors of single pieces; the student's own, and these in further dimensions; "
    "or the student's own. Left out: teacher with --config, keep with --model.",
)
@click.option(
    "--extra-dimensions",
    type=int,
    help="Dimensions that --start widen adds to the word embeddings; 3/8 of the hidden size when left out.",
)
@click.option(
    "--by-sentence", is_flag=True, help="Cut every text into sentences and short runs of them: for running prose."
)
@click.option(
    "--relation-weight",
    type=float,
    default=2.0,
    show_default=True,
    help="Weight of the relation errors; that of 1 - cosine is 1.",
)
@click.option(
    "--pooler-weight",
    type=float,
    default=0.1,
    show_default=True,
    help="Weight of the pooler's losses; the mean's is 1.",
)
@click.option(
    "--pretraining", is_flag=True, help="Also train masked words and sentence order, so that fill and order work."
)
@click.option("--pretraining-weight", type=float, default=1.0, show_default=True, help="Weight of these two losses.")
@click.option(
    "--mlm-probability", type=float, default=0.15, show_default=True, help="Share of tokens that are predicted."
)
@click.option(
    "--max-length", type=int, default=128, show_default=True, help="Longest input in tokens; longer texts are cut."
)
@click.option("--steps", type=int, help="Optimizer steps.")
@click.option("--tokens", type=float, help="Instead: tokens to train on, such as 5e6; one pass when both are left out.")
@click.option(
    "--batch-size", type=int, default=64, show_default=True, help="Texts of one step, compared with each other."
)
@click.option(
    "--learning-rate", "--lr", "learning_rate", type=float, default=1e-3, show_default=True, help="The highest rate."
)
@click.option(
    "--word-rate", type=float, default=3.0, show_default=True, help="Factor on the rate of the word embeddings."
)
@click.option(
    "--layer-rate",
    type=float,
    default=1.0,
    show_default=True,
    help="Factor on the rate of the layers; below 1, trained layers forget less.",
)
@click.option("--schedule", type=click.Choice(["linear", "constant"]), default="linear", show_default=True)
@click.option("--warmup", type=float, default=0.05, show_default=True, help="Share of the steps that warm up.")
@click.option("--weight-decay", type=float, default=0.01, show_default=True)
@click.option("--clip-norm", type=float, default=1.0, show_default=True, help="Longest gradient; 0 does not clip.")
@click.option(
    "--held-out", type=float, default=0.02, show_default=True, help="Share of texts that score and never train."
)
@click.option("--eval-share", type=float, default=0.1, show_default=True, help="Score after each such share of steps.")
@click.option("--seed", type=int, default=12345, show_default=True)
@click.option(
    "--save-seconds", type=float, default=120, show_default=True, help="Save a checkpoint at least this often."
)
@click.option("--workers", type=int, help="Processes of the teacher; one per core when left out.")
@click.option("--resume", is_flag=True, help="Continue a run that was stopped.")
@execution_options
@json_option
def command(resume: bool, as_json: bool, data: tuple[str, ...], files: tuple[str, ...], **options: Any) -> None:
    """A small encoder whose vectors are a teacher's.

    The teacher's vectors are computed once and kept in the cache ($ALBERTKIT_CACHE, else ~/.cache/albertkit). The
    student's mean vector and its pooler's output are both trained towards them. embed gives the mean, mapped into the
    teacher's space.
    """
    from dataclasses import replace

    from rich.console import Console as RichConsole

    from albertkit.io.progress import Console
    from albertkit.training.distillation.distill import distill
    from albertkit.training.distillation.settings import DistillSettings

    if files and not data:
        raise click.UsageError(f'"{files[0]}" is no option; give texts with --data')
    settings = DistillSettings(data=(*data, *files), **options)
    console = Console()
    try:
        report = distill(settings, resume=resume, teller=console)
    except KeyboardInterrupt:
        click.echo(
            f"stopped; the same command with --resume continues from the last checkpoint of {settings.out}", err=True
        )
        raise SystemExit(130) from None
    if as_json:
        print_json(report.to_dict())
        return
    replace(report, notes=[note for note in report.notes if note not in console.said]).render(
        RichConsole(highlight=False)
    )
    click.echo(f"run directory: {settings.out} (model/, report.json, plots/)")
