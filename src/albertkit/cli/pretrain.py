"""`albertkit pretrain`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.options import execution_options, json_option, print_json


@click.command(epilog="Example: albertkit pretrain --data shards --config albert-nano --tokens 50e6 --out runs/mine")
@click.option("--data", required=True, help="The folder that albertkit prepare wrote.")
@click.option("--model", help="Go on from this known model, model folder or run: adapt it to your own text.")
@click.option("--config", help="Start anew: a known model's name, or a config.json.")
@click.option("--out", "--output", "out", required=True, help="The run directory to make.")
@click.option("--steps", type=int, help="Optimizer steps.")
@click.option(
    "--tokens", type=float, help="Instead: tokens to train on, such as 50e6; one pass when both are left out."
)
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
@click.option("--warmup", type=float, default=0.01, show_default=True, help="Share of the steps that warm up.")
@click.option("--cooldown", type=float, default=0.3, show_default=True, help="Share of the steps that cool down.")
@click.option(
    "--weight-decay", type=float, default=0.01, show_default=True, help="Of weights; biases and norms have none."
)
@click.option("--clip-norm", type=float, default=1.0, show_default=True, help="Longest gradient; 0 does not clip.")
@click.option("--mask-share", type=float, default=0.15, show_default=True, help="Share of tokens that are predicted.")
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
    "--held-out", type=float, default=0.01, show_default=True, help="Share of documents that score and never train."
)
@click.option("--eval-share", type=float, default=0.05, show_default=True, help="Score after each such share of steps.")
@click.option(
    "--eval-tokens",
    type=int,
    default=100_000,
    show_default=True,
    help="Held-out tokens scored on the way; all at the end.",
)
@click.option("--seed", type=int, default=12345, show_default=True)
@click.option(
    "--save-seconds", type=float, default=120, show_default=True, help="Save a checkpoint at least this often."
)
@click.option(
    "--workers", type=int, help="Processes that build batches ahead; when left out some for a GPU, else none."
)
@click.option("--compile", is_flag=True, help="Compile the layers: for long runs on a GPU.")
@click.option("--recompute", is_flag=True, help="Less memory, a third more time: layers run again for their gradients.")
@click.option("--tensorboard", is_flag=True, help="Write event files for TensorBoard, too.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@execution_options
@json_option
def command(resume: bool, as_json: bool, **options: Any) -> None:
    """Pretrain masked pieces and sentence order on your own text.

    Several processes train together under torchrun: torchrun --nproc-per-node 2 -m albertkit pretrain ...
    """
    import os
    from dataclasses import replace

    from rich.console import Console as RichConsole

    from albertkit.io.progress import Console
    from albertkit.training.pretraining.pretrain import pretrain
    from albertkit.training.pretraining.settings import PretrainSettings

    settings = PretrainSettings(**options)
    console = Console()
    try:
        report = pretrain(settings, resume=resume, teller=console)
    except KeyboardInterrupt:
        click.echo(
            f"stopped; the same command with --resume goes on from the last checkpoint of {settings.out}", err=True
        )
        raise SystemExit(130) from None
    if os.environ.get("RANK", "0") != "0":
        return
    if as_json:
        print_json(report.to_dict())
        return
    replace(report, notes=[note for note in report.notes if note not in console.said]).render(
        RichConsole(highlight=False)
    )
    click.echo(f"run directory: {settings.out} (model/, report.json, plots/)")
