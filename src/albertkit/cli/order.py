"""`albertkit order`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import execution_options, json_option, notes_on_stderr, print_json


@click.command(
    cls=Command, epilog='Example: albertkit order my-pretrained-model "She opened the door." "Nobody was there."'
)
@click.argument("model")
@click.argument("first")
@click.argument("second")
@execution_options
@json_option
def command(
    model: str, first: str, second: str, device: str, precision: str, threads: int | None, as_json: bool
) -> None:
    """Predict whether the second text follows the first.

    A probability in [0, 1]: of SECOND following FIRST, rather than the other way round. In fp32 unless --precision says
    otherwise.
    """
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.inference.pretraining_predictor import sentence_order

    execution = choose_execution(device=device, precision="fp32" if precision == "auto" else precision, threads=threads)
    with notes_on_stderr():
        predictor = Predictor.load(model, execution=execution)
        probability = sentence_order(predictor, first, second)
    if as_json:
        print_json({"probability_in_order": probability})
    else:
        click.echo(f"in order with a probability of {probability:.4f}")
