"""Options that several commands share."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _several(*options: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    def decorate(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise click.BadParameter(f'"{value}" is not a list of different names such as sport,money,health', ctx, param)
    return names


json_option = click.option("--json", "as_json", is_flag=True, help="Print only JSON on standard output.")

execution_options = _several(
    click.option(
        "--device", default="auto", show_default=True, help="cpu, cuda, cuda:1 or mps; auto uses a GPU if there is one."
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]),
        default="auto",
        show_default=True,
        help="Number format of matrix products; auto uses bf16 on hardware that supports it well; int8, and fp16 on a "
        "processor, only predict.",
    ),
    click.option("--threads", type=int, show_default="all cores", help="CPU threads."),
)


start_options = _several(
    click.option("--model", show_default="none", help="Known model, model folder or run to continue training from."),
    click.option(
        "--config",
        show_default="none",
        help="Train from scratch with this configuration: a known model's name or a config.json.",
    ),
    click.option("--steps", type=int, show_default="from --tokens", help="Optimizer steps."),
    click.option(
        "--tokens",
        type=float,
        show_default="one pass over the data",
        help="Tokens to train on, such as 50e6; instead of --steps.",
    ),
)
"""Where a training of the encoder starts, and how long it is."""


def training_options(*, save_seconds: float) -> Callable[[Decorated], Decorated]:
    """Return the options that every training has; a checkpoint is saved at least every `save_seconds`."""
    return _several(
        click.option(
            "--weight-decay", type=float, default=0.01, show_default=True,
            help="Weight decay; biases and norms have none.",
        ),
        click.option(
            "--clip-norm", type=float, default=1.0, show_default=True,
            help="Clip gradients to this norm; 0 turns clipping off.",
        ),
        click.option(
            "--seed", type=int, default=12345, show_default=True,
            help="Random seed of data order, splits and new weights.",
        ),
        click.option(
            "--save-seconds", type=float, default=save_seconds, show_default=True,
            help="Seconds between checkpoints, at most.",
        ),
        click.option(
            "--parallel", type=int, show_default="one per thread if steps are large enough",
            help="Workers of one CPU thread each that share every step; --resume keeps their number.",
        ),
        click.option("--resume", is_flag=True, help="Continue an interrupted run."),
        click.option(
            "--track", multiple=True, metavar="mlflow|wandb|tensorboard", show_default="none",
            help="Also send settings, curves and scores to a tracker; repeat for several. MLFLOW_TRACKING_URI, "
            "WANDB_PROJECT and their other variables say where.",
        ),
        execution_options,
        json_option,
    )  # fmt: skip


def encoder_options(*, warmup: float, held_out: float, eval_share: float) -> Callable[[Decorated], Decorated]:
    """Return the options of a training that scores held-out text, with these defaults."""
    return _several(
        click.option(
            "--warmup", type=float, default=warmup, show_default=True,
            help="Share of the steps in which the learning rate rises to its peak.",
        ),
        click.option(
            "--held-out", type=float, default=held_out, show_default=True,
            help="Share of the text held out for scoring.",
        ),
        click.option(
            "--eval-share", type=float, default=eval_share, show_default=True,
            help="Score each time this share of the steps is done.",
        ),
        training_options(save_seconds=120),
    )  # fmt: skip


ray_options = _several(
    click.option(
        "--ray",
        metavar="local|ADDRESS",
        help="Run on a Ray cluster: a new one on this machine, or the one at ADDRESS (needs the extra ray). --input "
        "is Parquet, JSON lines or plain lines; --output is a folder. Repeat the command to continue an interrupted "
        "job.",
        show_default="off",
    ),
    click.option(
        "--workers", type=int, show_default="one per node", help="With --ray: maximum number of parallel workers."
    ),
)

encoding_option = click.option(
    "--encoding",
    show_default="byte order mark, else UTF-8",
    help="Encoding of a text file: cp1252, latin-1, utf-16, ...",
)

input_format_option = click.option(
    "--input-format",
    type=click.Choice(["lines", "csv", "tsv", "jsonl", "parquet", "xlsx"]),
    show_default="lines",
    help="Format of standard input (--input -); files are recognized by their endings.",
)

data_options = _several(
    click.option(
        "--data-dir",
        show_default="shipped or downloaded data",
        help="Local copy of a known data set: a folder in its official layout, or an archive.",
    ),
    click.option("--text-column", show_default="detected", help="Column with the text."),
    click.option("--pair-column", show_default="detected", help="Column with the second text of a pair."),
    click.option("--label-column", show_default="detected", help="Column with the label."),
    click.option(
        "--labels",
        callback=_names,
        metavar="A,B,..",
        show_default="from the data",
        help="Label names in order, for a column with lists of zeros and ones.",
    ),
    encoding_option,
    click.option("--skip-bad-rows", is_flag=True, help="Skip malformed rows and report their number."),
)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def report_training(
    train: Callable[..., Any],
    settings: Any,
    *,
    resume: bool,
    as_json: bool,
    stopped: str = "continues from the last checkpoint of",
) -> None:
    """Run a training, and print its report.

    Args:
        train: `finetune`, `pretrain` or `distill`.
        settings: of the run.
        resume: whether to continue a run that was stopped.
        as_json: print the report as JSON.
        stopped: what the same command does with --resume, before the run directory.
    """
    from dataclasses import replace

    from rich.console import Console as RichConsole

    from albertkit.evaluation.report import Report
    from albertkit.evaluation.report_table import render
    from albertkit.io.progress import Console

    console = Console()
    try:
        report = train(settings, resume=resume, progress=console)
    except KeyboardInterrupt:
        click.echo(f"stopped; repeat the command with --resume: it {stopped} {settings.out}", err=True)
        raise SystemExit(130) from None
    if os.environ.get("RANK", "0") != "0":  # torchrun's first process prints
        return
    if as_json:
        verdict = getattr(report, "verdict", None)
        for line in verdict.lines if verdict is not None else ():
            console.report(line)
        print_json(report.to_dict())
        return
    new = [note for note in report.notes if note not in console.reported]
    shown, terminal = replace(report, notes=new), RichConsole(highlight=False)
    if isinstance(shown, Report):
        render(shown, console=terminal)
    else:
        shown.render(terminal)
    click.echo(f"run directory: {settings.out} (report.html, report.json, model/, plots/)")


def say_truncation(predictor: Any) -> None:
    """Say on standard error how many texts were longer than the model reads; nothing where all were read whole."""
    note = predictor.truncation.note(predictor.model.task)
    if note is not None:
        click.echo(f"note: {note}", err=True)


@contextmanager
def notes_on_stderr() -> Iterator[None]:
    """Print albertkit's warnings as one line each on standard error."""
    with warnings.catch_warnings():

        def show(message: Any, *_: Any, **__: Any) -> None:
            click.echo(f"note: {message}", err=True)

        warnings.showwarning = show
        warnings.simplefilter("always", UserWarning)
        yield
