"""`albertkit pretrain`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.help import Command
from albertkit.cli.options import encoder_options, report_training, start_options


@click.command(
    cls=Command, epilog="Example: albertkit pretrain --data shards --config albert-nano --tokens 50e6 --out runs/mine"
)
@click.option("--data", required=True, help="Folder written by albertkit prepare.")
@start_options
@click.option("--out", "--output", "out", required=True, help="Run directory to create.")
@click.option("--max-length", type=int, show_default="that of the shards", help="Longest sequence in tokens.")
@click.option(
    "--stages",
    metavar="LxN:S,..",
    help="Staged training, LAYERSxLENGTH:SHARE of the steps, such as 1x64:0.2,2x64:0.3,6x128:0.5.",
    show_default="all layers at full length",
)
@click.option(
    "--init",
    type=click.Choice(["informed", "random"]),
    default="informed",
    show_default=True,
    help="New weights: from word counts of the text, or random like Google's.",
)
@click.option("--batch-tokens", type=int, default=4096, show_default=True, help="Tokens per forward pass.")
@click.option(
    "--accumulate",
    type=int,
    default=1,
    show_default=True,
    help="Forward passes per optimizer step (gradient accumulation).",
)
@click.option(
    "--optimizer", type=click.Choice(["adamw", "lamb"]), default="adamw", show_default=True, help="Optimizer."
)
@click.option(
    "--bias-correction/--no-bias-correction",
    default=True,
    show_default=True,
    help="Bias correction of the optimizer; off as in Google's code, which uses large batches.",
)
@click.option(
    "--learning-rate",
    "--lr",
    "learning_rate",
    type=float,
    show_default="by size and optimizer",
    help="Peak learning rate.",
)
@click.option(
    "--schedule", type=click.Choice(["linear", "cooldown", "constant"]), default="linear", show_default=True,
    help="Learning rate schedule; cooldown holds the peak and falls at the end, and keeps the model from before.",
)  # fmt: skip
@click.option(
    "--cooldown",
    type=float,
    default=0.3,
    show_default=True,
    help="Share of the steps in which the learning rate falls (--schedule cooldown).",
)
@click.option(
    "--mlm-probability", "--mask-share", type=float, default=0.15, show_default=True,
    help="Share of tokens to mask and predict.",
)  # fmt: skip
@click.option("--max-ngram", type=int, default=3, show_default=True, help="Longest masked n-gram in words.")
@click.option(
    "--short-share", type=float, default=0.1, show_default=True, help="Share of sequences with a random shorter length."
)
@click.option(
    "--spread-positions/--no-spread-positions",
    default=True,
    show_default=True,
    help="Start half of the sequences at a random position, so that short sequences train late positions.",
)
@click.option(
    "--google-quirks", is_flag=True, help="Build training instances exactly like Google's code, bugs included."
)
@click.option(
    "--eval-tokens",
    type=int,
    default=100_000,
    show_default=True,
    help="Held-out tokens to score during training; at the end all are scored.",
)
@click.option(
    "--workers", type=int, show_default="0; several with a GPU", help="Processes that prepare batches in advance."
)
@click.option("--compile", is_flag=True, help="Compile the layers with torch.compile (long GPU runs).")
@click.option(
    "--gradient-checkpointing", "--recompute", is_flag=True,
    help="Compute the layers again for their gradients: less memory, about a third more time.",
)  # fmt: skip
@encoder_options(warmup=0.01, held_out=0.01, eval_share=0.05)
def command(resume: bool, as_json: bool, **options: Any) -> None:
    """Pretrain on your own text: masked words and sentence order.

    Several processes train together under torchrun: torchrun --nproc-per-node 2 -m albertkit pretrain ...
    """
    from albertkit.training.pretraining.pretrain import pretrain
    from albertkit.training.pretraining.settings import PretrainSettings

    report_training(pretrain, PretrainSettings(**options), resume=resume, as_json=as_json)
