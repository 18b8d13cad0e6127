"""`albertkit fill`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import execution_options, json_option, notes_on_stderr, print_json


@click.command(cls=Command, epilog='Example: albertkit fill my-pretrained-model "the capital of France is [MASK]."')
@click.argument("model")
@click.argument("text")
@click.option("--pair", show_default="none", help="Second text, which may also contain [MASK].")
@click.option("--top", type=int, default=5, show_default=True, help="Number of candidates per mask.")
@execution_options
@json_option
def command(
    model: str,
    text: str,
    pair: str | None,
    top: int,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Predict the pieces behind each [MASK] in a text.

    Each mask is filled independently. Positions count tokens from 0, which is [CLS]. In fp32 unless --precision says
    otherwise.
    """
    from dataclasses import asdict

    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.inference.pretraining_predictor import fill_masks

    execution = choose_execution(device=device, precision="fp32" if precision == "auto" else precision, threads=threads)
    with notes_on_stderr():
        predictor = Predictor.load(model, execution=execution)
        fills = fill_masks(predictor, text, pair=pair, top=top)
    if as_json:
        print_json([asdict(fill) for fill in fills])
        return
    for fill in fills:
        click.echo(f"position {fill.position}")
        for candidate in fill.candidates:
            click.echo(f"  {candidate.probability:.4f}  {candidate.piece}")
