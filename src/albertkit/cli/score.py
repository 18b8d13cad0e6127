"""`albertkit score`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import data_options, json_option, print_json


@click.command(
    cls=Command, epilog="Example: albertkit score squad/v1 --data-dir squad --predictions predictions.json --json"
)
@click.argument("data")
@click.option("--predictions", required=True, help="Prediction file with answers, labels, tags or choices.")
@click.option("--split", show_default="dev if there is one", help="Split to score.")
@click.option("--prediction-column", show_default="detected", help="Column with the predictions.")
@click.option("--null-odds", show_default="none", help="SQuAD 2.0: JSON file of ids and no-answer odds.")
@click.option(
    "--null-threshold",
    type=float,
    help="SQuAD 2.0: no-answer odds above which an answer counts as empty.",
    show_default="1.0, as in the official script",
)
@click.option(
    "--scheme",
    type=click.Choice(["IOB2", "IOBES"]),
    show_default="seqeval's default mode",
    help="Tags: score entities in seqeval's strict mode with this scheme.",
)
@data_options
@json_option
def command(
    data: str,
    predictions: str,
    split: str | None,
    prediction_column: str | None,
    null_odds: str | None,
    null_threshold: float | None,
    scheme: str | None,
    data_dir: str | None,
    text_column: str | None,
    pair_column: str | None,
    label_column: str | None,
    labels: tuple[str, ...] | None,
    encoding: str | None,
    skip_bad_rows: bool,
    as_json: bool,
) -> None:
    """Score a prediction file with the official metrics."""
    from rich.console import Console

    from albertkit.datasets import open_data
    from albertkit.evaluation.score import default_split, score_file
    from albertkit.scoring.score import NULL_THRESHOLD, ScoreOptions

    if null_threshold is not None and null_odds is None:
        raise click.UsageError("--null-threshold needs --null-odds, the file with the odds")
    source = open_data(
        data,
        data_dir=data_dir,
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        labels=labels,
        encoding=encoding,
        skip_bad_rows=skip_bad_rows,
    )
    options = ScoreOptions(
        prediction_column=prediction_column,
        null_odds=null_odds,
        null_threshold=NULL_THRESHOLD if null_threshold is None else null_threshold,
        scheme=scheme,
    )
    found = score_file(default_split(source, split), predictions, options=options)
    if as_json:
        print_json(found.to_dict())
    else:
        found.render(Console(highlight=False))
