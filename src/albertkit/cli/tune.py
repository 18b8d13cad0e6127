"""`albertkit tune`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.finetune import command as finetune_command
from albertkit.cli.help import Command
from albertkit.cli.options import print_json
from albertkit.config import HEAD_POOLINGS

_NOT_SHARED = frozenset(
    {"learning_rate", "epochs", "pooling", "max_length", "freeze_encoder", "out", "resume", "steps", "few_shot",
     "no_baseline", "unlabelled", "files"}
)  # fmt: skip


def _range(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        low, _, high = value.partition(":")
        bounds = float(low), float(high or low)
        whole = param.name == "epochs"
        if whole and not all(bound.is_integer() for bound in bounds):
            raise ValueError
        return (int(bounds[0]), int(bounds[1])) if whole else bounds
    except ValueError:
        raise click.BadParameter(f'"{value}" is neither LOW:HIGH nor one number', ctx, param) from None


def _choices(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[Any, ...] | None:
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if param.name != "max_length":
        return tuple(dict.fromkeys(parts))
    try:
        return tuple(sorted({int(part) for part in parts}))
    except ValueError:
        raise click.BadParameter(f'"{value}" is not a list of whole numbers such as 64,128', ctx, param) from None


@click.command(
    cls=Command, epilog="Example: albertkit tune --model albert-nano --data reviews.csv --out runs/search --trials 30"
)
@click.option("--out", "--output", "out", required=True, help="Folder of the search; the same one continues it.")
@click.option("--trials", type=int, default=20, show_default=True, help="Trials of the whole search.")
@click.option(
    "--learning-rate",
    "--lr",
    "learning_rate",
    callback=_range,
    metavar="LOW:HIGH",
    show_default="a quarter to four times the recipe's",
    help="Range of the peak learning rate; one number fixes it.",
)
@click.option(
    "--epochs",
    callback=_range,
    metavar="LOW:HIGH",
    show_default="a third to twice the recipe's",
    help="Range of the passes over the training split; one number fixes them.",
)
@click.option(
    "--pooling",
    callback=_choices,
    metavar="A,B,..",
    show_default="mean,pooler,cls; pair,mean for two texts",
    help=f"Vectors that the head may read: {', '.join(HEAD_POOLINGS)}.",
)
@click.option(
    "--max-length",
    callback=_choices,
    metavar="N,N,..",
    show_default="the recipe's, its half and its double",
    help="Longest inputs in tokens to try.",
)
@click.option(
    "--freeze-encoder/--no-freeze-encoder",
    default=None,
    show_default="both are tried",
    help="Train only the head, or always the encoder, too. ALBERT's layers share their weights, so nothing is between.",
)
@click.option("--no-pruning", is_flag=True, help="Train every trial to its end.")
def command(
    out: str,
    trials: int,
    no_pruning: bool,
    as_json: bool,
    freeze_encoder: bool | None,
    **options: Any,
) -> None:
    """Search the settings of a fine-tuning run.

    Optuna proposes learning rate, epochs, pooling, length and whether the encoder is trained. The validation split
    decides, never the scored one. Bad trials stop early. Give the same command again to continue, or in a second
    terminal to share the work. The folder holds study.db, tune.json, search.png and a run directory per trial.
    """
    from rich.console import Console as RichConsole

    from albertkit.io.progress import Console
    from albertkit.training.settings import FinetuneSettings
    from albertkit.training.tuning.space import SEARCHED, Space
    from albertkit.training.tuning.tune import TuneSettings, tune

    given = {name: options.pop(name) for name in SEARCHED if name in options}
    frozen = None if freeze_encoder is None else (freeze_encoder,)
    settings = TuneSettings(
        base=FinetuneSettings(out=out, **options),
        space=Space(**given, freeze_encoder=frozen),
        trials=trials,
        prune=not no_pruning,
    )
    try:
        report = tune(settings, progress=Console())
    except KeyboardInterrupt:
        click.echo(f"stopped; repeat the command: it continues the search in {out}", err=True)
        raise SystemExit(130) from None
    if as_json:
        print_json(report.to_dict())
        return
    report.render(RichConsole(highlight=False))
    click.echo(f"search: {out} (tune.json, search.png, study.db)")


# What a search does not vary means the same as for one run.
command.params += [param for param in finetune_command.params if param.name not in _NOT_SHARED]
