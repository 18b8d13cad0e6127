"""`albertkit finetune`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.options import data_options, report_training, training_options
from albertkit.config import HEAD_POOLINGS


def _widths(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in value.split(",")) if value.strip() else ()
    except ValueError:
        raise click.BadParameter(f'"{value}" is not a list of whole numbers such as 128,30,8', ctx, param) from None


def _weights(ctx: click.Context, param: click.Parameter, value: str | None) -> str | dict[str, float] | None:
    if value is None or value.strip() == "balanced":
        return None if value is None else "balanced"
    weights: dict[str, float] = {}
    for part in value.split(","):
        label, equals, number = part.rpartition("=")
        label = label.strip()
        try:
            if not equals or not label or label in weights:
                raise ValueError
            weights[label] = float(number)
        except ValueError:
            said = f'"{value}" is neither balanced nor a weight for each of some labels, such as complaint=5,praise=1'
            raise click.BadParameter(said, ctx, param) from None
    return weights


@click.command(epilog="Example: albertkit finetune --model albert-nano --data polarity --out runs/polarity")
@click.option("--model", default="albert-nano", show_default=True, help="A known model, a model folder or a run.")
@click.option("--data", required=True, help="A known data set, or a .csv .tsv .jsonl .parquet file.")
@click.option("--out", "--output", "out", help="The run directory to make; runs/DATA when left out.")
@click.option(
    "--task",
    help="For files of your own: classification, regression, multilabel, multiple_choice, question_answering or "
    "token_classification; told from the file where it can be. similarity trains vectors to compare (embed, nearest) "
    "on pairs with numbers.",
)
@data_options
@click.option("--train-split", default="train", show_default=True, help="The split to train on.")
@click.option("--validation-split", help="The split that chooses the best epoch.")
@click.option("--validation", type=float, help="Instead: a share of the training split, such as 0.4, drawn by seed.")
@click.option("--test-split", help="The split that scores; test where it is labelled, else dev.")
@click.option("--test", type=float, help="Instead: a share of the training split, such as 0.2, drawn by seed.")
@click.option(
    "--few-shot", is_flag=True,
    help="For few labelled rows (some 8 to 100 per label): cross-validation on the training rows chooses between a "
    "linear head on frozen features and contrastive pairs. Takes seconds and no epochs, rates or batch sizes.",
)  # fmt: skip
@click.option("--freeze-encoder", is_flag=True, help="Train the head alone; each text passes the encoder once.")
@click.option(
    "--head-hidden", default="", callback=_widths, metavar="N,N,..",
    help="Widths of hidden layers in the head, such as 128,30,8.",
)  # fmt: skip
@click.option("--head-norm", type=click.Choice(["batch", "none"]), default="none", show_default=True)
@click.option(
    "--pooling", type=click.Choice(HEAD_POOLINGS),
    help="What the head reads of each row: the mean of all last hidden states (the default for one text), the means of "
    "both texts with their difference and product (pair, the default for two), the pooler's output (the default of the "
    "published recipes; transformers can load such a model as a classifier), or the first token's state.",
)  # fmt: skip
@click.option(
    "--exits", is_flag=True,
    help="Also train a head after every layer before the last, so that predict and evaluate can let texts leave early "
    "(--exit-patience, --entropy).",
)  # fmt: skip
@click.option("--epochs", type=int, help="Passes over the training split.")
@click.option("--steps", type=int, help="Optimizer steps, instead of epochs.")
@click.option("--batch-size", type=int, help="Examples of one optimizer step.")
@click.option("--batch-tokens", type=int, default=4096, show_default=True, help="Most tokens of one forward pass.")
@click.option("--optimizer", type=click.Choice(["adamw", "adam", "lamb"]), help="adamw; adam for a frozen encoder.")
@click.option("--learning-rate", "--lr", "learning_rate", type=float, help="The highest rate.")
@click.option("--schedule", type=click.Choice(["linear", "constant"]), help="linear; constant with adam.")
@click.option("--warmup", type=float, help="Share of the steps that warm up.")
@click.option("--max-length", type=int, help="Longest input in tokens.")
@click.option(
    "--long", type=click.Choice(["truncate", "windows"]), default="truncate", show_default=True,
    help="Texts and pairs longer than --max-length: cut, or read in overlapping windows whose answers are averaged. "
    "The model keeps the choice.",
)  # fmt: skip
@click.option("--stride", type=int, help="Tokens from one window to the next; half of --max-length when left out.")
@click.option("--max-windows", type=int, help="Windows of a text at most; 8 when left out.")
@click.option(
    "--class-weights", callback=_weights, metavar="balanced|LABEL=W,..",
    help="What a mistake on each class counts: balanced gives each class the same weight in all; labels not named "
    "have 1.",
)  # fmt: skip
@click.option("--limit", type=int, help="Only the first N examples of each split, and of the unlabelled texts.")
@click.option("--train-limit", type=int, help="Train on N examples alone, drawn by seed; the other splits stay whole.")
@click.option(
    "--gradient-checkpointing", "--recompute", is_flag=True,
    help="Less memory, a third more time: layers run again for their gradients.",
)  # fmt: skip
@click.option(
    "--teacher", metavar="RUN",
    help="Also learn the probabilities (in regression the numbers) of this run, model folder or export, of the same "
    "task and labels. The report compares both.",
)  # fmt: skip
@click.option(
    "--unlabelled", multiple=True, metavar="FILE",
    help="Further training texts, for which only the teacher has an answer: one per line, or a table; more files may "
    "follow. An epoch covers labelled and unlabelled texts.",
)  # fmt: skip
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option(
    "--teacher-weight", type=float,
    help="Share of the teacher's loss, above 0 and at most 1; the labels' loss has the rest. 0.5 when left out.",
)  # fmt: skip
@click.option(
    "--temperature", type=float,
    help="The teacher's probabilities are learned at this temperature: above 1 the less probable labels count more. "
    "2 when left out.",
)  # fmt: skip
@click.option(
    "--patience", type=int, help="Stop after so many epochs without a better validation score (small tables: 5)."
)
@click.option("--no-baseline", is_flag=True, help="Do not score TF-IDF with a linear model beside it.")
@training_options(save_seconds=60)
def command(
    out: str | None,
    no_baseline: bool,
    resume: bool,
    as_json: bool,
    unlabelled: tuple[str, ...],
    files: tuple[str, ...],
    **options: Any,
) -> None:
    """Train a classifier, whole or on a frozen encoder.

    Choices left open come from a recipe for the data set and the model. The run directory holds config.json,
    metrics.jsonl, checkpoints/, model/ (a Hugging Face directory), report.json and plots/.
    """
    from pathlib import Path

    from albertkit.datasets import DATASETS
    from albertkit.training.finetune import finetune
    from albertkit.training.settings import FinetuneSettings

    if files and not unlabelled:
        raise click.UsageError(f'"{files[0]}" is no option; give further training texts with --unlabelled')
    data: str = options["data"]
    folder = out or f"runs/{data if data in DATASETS else Path(data).stem}"
    settings = FinetuneSettings(out=folder, baseline=not no_baseline, unlabelled=(*unlabelled, *files), **options)
    stopped = "starts again in" if settings.few_shot else "continues from the last checkpoint of"
    report_training(finetune, settings, resume=resume, as_json=as_json, stopped=stopped)
