"""`albertkit distill`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.options import encoder_options, encoding_option, report_training, start_options


@click.command(
    epilog="Example: albertkit distill --teacher my-teacher --config albert-nano --data texts.txt --out runs/student"
)
@click.option(
    "--teacher",
    required=True,
    help="A sentence-transformers folder, an albertkit model, run or export, or vectors: .npy (one row per text) or "
    ".parquet (text, vector).",
)
@click.option(
    "--data",
    multiple=True,
    metavar="FILE",
    help="Texts, one per line (.txt, .gz, .xz), or a table, or a folder of .txt files; more files may follow. Not "
    "needed with a .parquet teacher.",
)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@start_options
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
@click.option("--workers", type=int, help="Processes of the teacher; one per core when left out.")
@encoder_options(warmup=0.05, held_out=0.02, eval_share=0.1)
def command(resume: bool, as_json: bool, data: tuple[str, ...], files: tuple[str, ...], **options: Any) -> None:
    """A small encoder whose vectors are a teacher's.

    The teacher's vectors are computed once and kept in the cache ($ALBERTKIT_CACHE, else ~/.cache/albertkit). The
    student's mean vector and its pooler's output are both trained towards them. embed gives the mean, mapped into the
    teacher's space.
    """
    from albertkit.training.distillation.distill import distill
    from albertkit.training.distillation.settings import DistillSettings

    if files and not data:
        raise click.UsageError(f'"{files[0]}" is no option; give texts with --data')
    settings = DistillSettings(data=(*data, *files), **options)
    report_training(distill, settings, resume=resume, as_json=as_json)
