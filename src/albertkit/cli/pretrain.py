"""`albertkit pretrain`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.options import encoder_options, report_training, start_options


@click.command(epilog="Example: albertkit pretrain --data shards --config albert-nano --tokens 50e6 --out runs/mine")
@click.option("--data", required=True, help="The folder that albertkit prepare wrote.")
@start_options
@click.option("--out", "--output", "out", required=True, help="The run directory to make.")
@click.option("--max-length", type=int, help="Longest sequence in tokens; the shards' own when left out.")
@click.option(
    "--stages",
    metavar="LxN:S,..",
    help="Layers x length : share of the steps, such as 1x64:0.2,2x64:0.3,6x128:0.5; all layers when left out.",
)
@click.option(
    "--init",
    type=click.Choice(["informed", "random"]),
    default="informed",
    show_default=True,
    help="Fresh weights: from counts of the text, or random as Google's.",
)
@click.option("--batch-tokens", type=int, default=4096, show_default=True, help="Tokens of one forward pass.")
@click.option("--accumulate", type=int, default=1, show_default=True, help="Forward passes of one optimizer step.")
@click.option("--optimizer", type=click.Choice(["adamw", "lamb"]), default="adamw", show_default=True)
@click.option(
    "--bias-correction/--no-bias-correction",
    default=True,
    show_default=True,
    help="Without: Google's forms of the optimizers, made for large batches.",
)
@click.option("--learning-rate", "--lr", "learning_rate", type=float, help="The highest rate.")
@click.option(
    "--schedule", type=click.Choice(["linear", "cooldown", "constant"]), default="linear", show_default=True,
    help="cooldown stays at the highest rate and falls at the end; the model before the fall is kept, too.",
)  # fmt: skip
@click.option("--cooldown", type=float, default=0.3, show_default=True, help="Share of the steps that cool down.")
@click.option(
    "--mlm-probability", "--mask-share", type=float, default=0.15, show_default=True,
    help="Share of tokens that are predicted.",
)  # fmt: skip
@click.option("--max-ngram", type=int, default=3, show_default=True, help="Words of the longest masked n-gram.")
@click.option(
    "--short-share", type=float, default=0.1, show_default=True, help="Share of sequences of a shorter random length."
)
@click.option(
    "--spread-positions/--no-spread-positions",
    default=True,
    show_default=True,
    help="Half of the sequences begin at a random position, so that short ones train those of long ones.",
)
@click.option("--google-quirks", is_flag=True, help="Make instances exactly as Google's code does, oddities included.")
@click.option(
    "--eval-tokens",
    type=int,
    default=100_000,
    show_default=True,
    help="Held-out tokens scored on the way; all at the end.",
)
@click.option(
    "--workers", type=int, help="Processes that build batches ahead; when left out some for a GPU, else none."
)
@click.option("--compile", is_flag=True, help="Compile the layers: for long runs on a GPU.")
@click.option(
    "--gradient-checkpointing", "--recompute", is_flag=True,
    help="Less memory, a third more time: layers run again for their gradients.",
)  # fmt: skip
@click.option("--tensorboard", is_flag=True, help="Write event files for TensorBoard, too.")
@encoder_options(warmup=0.01, held_out=0.01, eval_share=0.05)
def command(resume: bool, as_json: bool, **options: Any) -> None:
    """Pretrain masked pieces and sentence order on your own text.

    Several processes train together under torchrun: torchrun --nproc-per-node 2 -m albertkit pretrain ...
    """
    from albertkit.training.pretraining.pretrain import pretrain
    from albertkit.training.pretraining.settings import PretrainSettings

    report_training(pretrain, PretrainSettings(**options), resume=resume, as_json=as_json)
