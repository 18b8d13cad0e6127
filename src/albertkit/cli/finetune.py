"""`albertkit finetune`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.help import Command
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


@click.command(
    cls=Command, epilog="Example: albertkit finetune --model albert-nano --data polarity --out runs/polarity"
)
@click.option(
    "--model",
    default="albert-nano",
    show_default=True,
    help="Known model, model folder or run directory to start from.",
)
@click.option(
    "--data",
    required=True,
    help="Known data set (such as polarity, glue/sst2), a .csv .tsv .jsonl .parquet .xlsx file, or "
    "hf:ORG/NAME[/CONFIG] on the Hugging Face hub.",
)
@click.option("--out", "--output", "out", show_default="runs/DATA", help="Run directory to create.")
@click.option(
    "--task",
    help="Task of your own file: classification, regression, multilabel, multiple_choice, question_answering, "
    "token_classification, or similarity (pairs with scores, for embed and nearest).",
    show_default="detected from the file",
)
@data_options
@click.option("--train-split", default="train", show_default=True, help="Split to train on.")
@click.option("--validation-split", show_default="dev, if there is one", help="Split that selects the best epoch.")
@click.option(
    "--validation",
    type=float,
    show_default="0.1 if there is no dev split",
    help="Share of the training split, such as 0.2, held out to select the best epoch.",
)
@click.option("--test-split", show_default="test if labelled, else dev", help="Split to score.")
@click.option(
    "--test", type=float, show_default="none", help="Share of the training split, such as 0.2, held out for scoring."
)
@click.option(
    "--few-shot", is_flag=True,
    help="For few labelled rows (about 8 to 100 per label): cross-validation chooses between a linear head on frozen "
    "features and contrastive training. Takes seconds. Not with --epochs, --learning-rate or --batch-size.",
)  # fmt: skip
@click.option(
    "--freeze-encoder", is_flag=True, help="Train only the head; the encoder keeps its weights and runs once per text."
)
@click.option(
    "--head-hidden", default="", callback=_widths, metavar="N,N,..",
    show_default="none",
    help="Widths of hidden layers in the head, such as 128,30,8.",
)  # fmt: skip
@click.option(
    "--head-norm",
    type=click.Choice(["batch", "none"]),
    default="none",
    show_default=True,
    help="Normalization after each hidden layer of the head.",
)
@click.option(
    "--pooling", type=click.Choice(HEAD_POOLINGS),
    help="Vector that the head reads: mean of the last hidden states; both texts' means, their difference and product "
    "(pair); the pooler's output (transformers can load such a model as a classifier); or the first token's state "
    "(cls).",
    show_default="mean, pair for two texts; pooler for published GLUE and RACE recipes",
)  # fmt: skip
@click.option(
    "--dimensions", default="", callback=_widths, metavar="N,N,..",
    help="With --task similarity: also train the vectors cut to these sizes, such as 64,128 (Matryoshka), for "
    "`embed --dimensions`. The report has Spearman per size.",
    show_default="whole vectors only",
)  # fmt: skip
@click.option(
    "--exits", is_flag=True,
    help="Also train a head after every layer, so that predict and evaluate can stop early (--exit-patience, "
    "--entropy).",
)  # fmt: skip
@click.option("--epochs", type=int, show_default="3; more for small tables", help="Passes over the training split.")
@click.option("--steps", type=int, show_default="from --epochs", help="Optimizer steps, instead of epochs.")
@click.option(
    "--batch-size", type=int, show_default="32; 128 with --freeze-encoder", help="Examples per optimizer step."
)
@click.option("--batch-tokens", type=int, default=4096, show_default=True, help="Maximum tokens per forward pass.")
@click.option(
    "--optimizer",
    type=click.Choice(["adamw", "adam", "lamb"]),
    show_default="adamw; adam with --freeze-encoder",
    help="Optimizer.",
)
@click.option(
    "--learning-rate",
    "--lr",
    "learning_rate",
    type=float,
    show_default="from the recipe",
    help="Peak learning rate (albert-nano: 5e-4).",
)
@click.option(
    "--schedule",
    type=click.Choice(["linear", "constant"]),
    show_default="linear; constant with adam",
    help="Learning rate after the warm-up.",
)
@click.option(
    "--warmup",
    type=float,
    show_default="0.1; 0 with adam",
    help="Share of the steps in which the learning rate rises to its peak.",
)
@click.option(
    "--max-length",
    type=int,
    show_default="128; 384 for questions, 512 for multiple choice",
    help="Longest input in tokens; longer texts are truncated.",
)
@click.option(
    "--long", type=click.Choice(["truncate", "windows", "sentences"]),
    show_default="truncate; sentences for long texts with --few-shot",
    help="Texts longer than --max-length: truncate them, read them in overlapping windows and average the "
    "predictions, or do so with the sentences of every text. Saved with the model.",
)  # fmt: skip
@click.option("--stride", type=int, show_default="half of --max-length", help="Tokens from one window to the next.")
@click.option("--max-windows", type=int, show_default="8; 64 sentences", help="Maximum number of windows per text.")
@click.option(
    "--class-weights", callback=_weights, metavar="balanced|LABEL=W,..",
    help="Weight of each class in the loss; balanced gives all classes the same total weight, other labels get 1.",
    show_default="all 1",
)  # fmt: skip
@click.option(
    "--limit",
    type=int,
    show_default="all",
    help="Use only the first N examples of each split and of the unlabelled texts.",
)
@click.option(
    "--train-limit",
    type=int,
    show_default="all",
    help="Train on N randomly drawn examples; other splits stay complete.",
)
@click.option(
    "--gradient-checkpointing", "--recompute", is_flag=True,
    help="Compute the layers again for their gradients: less memory, about a third more time.",
)  # fmt: skip
@click.option(
    "--teacher", metavar="RUN",
    help="Distil from this run, model folder or export, which must have the same task and labels. The report "
    "compares both.",
    show_default="none",
)  # fmt: skip
@click.option(
    "--unlabelled", multiple=True, metavar="FILE",
    help="More training texts, labelled only by the teacher: one per line, or a table; more files may follow.",
    show_default="none",
)  # fmt: skip
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option(
    "--teacher-weight", type=float,
    help="Weight of the teacher's loss, above 0 and at most 1; the labels' loss gets the rest.",
    show_default="0.5",
)  # fmt: skip
@click.option(
    "--temperature", type=float,
    help="Distillation temperature: above 1, less probable labels count more.",
    show_default="2",
)  # fmt: skip
@click.option(
    "--patience",
    type=int,
    show_default="none; 5 for small tables",
    help="Stop after this many epochs without a better validation score.",
)
@click.option("--no-baseline", is_flag=True, help="Skip the TF-IDF baseline.")
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
    """Fine-tune a classifier, regressor, tagger or question answerer.

    Choices left open come from a recipe for the data set and the model. The run directory holds config.json,
    metrics.jsonl, checkpoints/, model/ (a Hugging Face directory), report.html, report.json and plots/.
    """
    from pathlib import Path

    from albertkit.datasets import DATASETS
    from albertkit.hub.hub_names import HUGGING_FACE
    from albertkit.training.finetune import finetune
    from albertkit.training.settings import FinetuneSettings

    if files and not unlabelled:
        raise click.UsageError(f'unexpected argument "{files[0]}"; give further training texts with --unlabelled')
    data: str = options["data"]
    named = data.removeprefix(HUGGING_FACE).partition("@")[0]
    folder = out or f"runs/{data if data in DATASETS else Path(named).stem}"
    settings = FinetuneSettings(out=folder, baseline=not no_baseline, unlabelled=(*unlabelled, *files), **options)
    stopped = "starts again in" if settings.few_shot else "continues from the last checkpoint of"
    report_training(finetune, settings, resume=resume, as_json=as_json, stopped=stopped)
