"""`albertkit distill`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.help import Command
from albertkit.cli.options import encoder_options, encoding_option, report_training, start_options


@click.command(
    cls=Command,
    epilog="Example: albertkit distill --teacher my-teacher --config albert-nano --data texts.txt --out runs/student",
)
@click.option(
    "--teacher",
    required=True,
    help="Teacher: a sentence-transformers folder, an albertkit model, run or export, or its vectors as .npy (one "
    "row per text) or .parquet (text, vector).",
)
@click.option(
    "--data",
    multiple=True,
    metavar="FILE",
    help="Texts to train on: one per line (.txt, .gz, .xz), a table, or a folder of .txt files; more files may follow.",
    show_default="the texts of a .parquet teacher",
)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@start_options
@click.option("--out", "--output", "out", required=True, help="Run directory to create.")
@click.option("--text-column", show_default="detected", help="Column with the text, if --data is a table.")
@encoding_option
@click.option(
    "--start",
    type=click.Choice(["teacher", "widen", "keep"]),
    help="Initial word embeddings: the teacher's vectors of single pieces (teacher), the student's own plus these in "
    "extra dimensions (widen), or only the student's own (keep).",
    show_default="teacher with --config, keep with --model",
)
@click.option(
    "--extra-dimensions",
    type=int,
    help="Dimensions that --start widen adds to the word embeddings.",
    show_default="3/8 of the hidden size",
)
@click.option(
    "--by-sentence", is_flag=True, help="Split texts into sentences and short groups of sentences (for prose)."
)
@click.option(
    "--relation-weight",
    type=float,
    default=2.0,
    show_default=True,
    help="Weight of the relation loss; the cosine loss has weight 1.",
)
@click.option(
    "--pooler-weight",
    type=float,
    default=0.1,
    show_default=True,
    help="Weight of the pooler's losses; those of the mean have weight 1.",
)
@click.option("--pretraining", is_flag=True, help="Also train masked words and sentence order, for fill and order.")
@click.option(
    "--pretraining-weight", type=float, default=1.0, show_default=True, help="Weight of the --pretraining losses."
)
@click.option(
    "--mlm-probability", type=float, default=0.15, show_default=True, help="Share of tokens to mask and predict."
)
@click.option(
    "--max-length",
    type=int,
    default=128,
    show_default=True,
    help="Longest input in tokens; longer texts are truncated.",
)
@click.option(
    "--batch-size",
    type=int,
    default=64,
    show_default=True,
    help="Texts per optimizer step; they are compared with each other.",
)
@click.option(
    "--learning-rate",
    "--lr",
    "learning_rate",
    type=float,
    help="Peak learning rate.",
    show_default="1e-3; 1e-4 with --start widen, or from a model that was distilled before",
)
@click.option(
    "--word-rate", type=float, default=3.0, show_default=True, help="Learning rate factor of the word embeddings."
)
@click.option(
    "--layer-rate",
    type=float,
    default=1.0,
    show_default=True,
    help="Learning rate factor of the layers; below 1, trained layers forget less.",
)
@click.option(
    "--schedule",
    type=click.Choice(["linear", "constant"]),
    default="linear",
    show_default=True,
    help="Learning rate after the warm-up.",
)
@click.option("--workers", type=int, show_default="one per core", help="Processes that compute the teacher's vectors.")
@encoder_options(warmup=0.05, held_out=0.02, eval_share=0.1)
def command(resume: bool, as_json: bool, data: tuple[str, ...], files: tuple[str, ...], **options: Any) -> None:
    """Train a small encoder to give the vectors of a larger one.

    The teacher's vectors are computed once and kept in the cache ($ALBERTKIT_CACHE, else ~/.cache/albertkit). The
    student's mean vector and its pooler's output are both trained towards them. embed gives the mean, mapped into the
    teacher's space.
    """
    from albertkit.training.distillation.distill import distill
    from albertkit.training.distillation.settings import DistillSettings

    if files and not data:
        raise click.UsageError(f'unexpected argument "{files[0]}"; give texts with --data')
    settings = DistillSettings(data=(*data, *files), **options)
    report_training(distill, settings, resume=resume, as_json=as_json)
