"""`albertkit convert`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import json_option, notes_on_stderr, print_json
from albertkit.config import ACTIVATIONS


@click.command(cls=Command, epilog="Example: albertkit convert albert_base_v2.tar.gz my-model --to huggingface")
@click.argument("source")
@click.argument("target", type=click.Path())
@click.option(
    "--to",
    default="huggingface",
    show_default=True,
    help="Target format: huggingface, tf1 (Google), keras (KerasHub) or bson (Julia).",
)
@click.option(
    "--num-layers",
    type=click.IntRange(min=1),
    show_default="from the source",
    help="Number of layers, if the source does not record it.",
)
@click.option(
    "--num-heads",
    type=click.IntRange(min=1),
    show_default="from the source",
    help="Number of attention heads, if the source does not record it or is wrong.",
)
@click.option(
    "--activation",
    type=click.Choice(ACTIVATIONS),
    show_default="from the source",
    help="Activation: gelu is the erf form, gelu_new the tanh form (which Google's files call gelu).",
)
@click.option(
    "--mode",
    show_default="from the source",
    help="Tokenizer mode to record with the model: google, tfhub, huggingface, keras or julia.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing TARGET.")
@json_option
def command(
    source: str,
    target: str,
    to: str,
    num_layers: int | None,
    num_heads: int | None,
    activation: str | None,
    mode: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Convert a checkpoint to another format.

    SOURCE is a known model, a folder or file in any format that albertkit knows, or an archive of one: Hugging Face,
    Google's TF1 checkpoints, TF Hub modules and SavedModels, KerasHub presets, ALBERT.jl's BSON. TARGET is the folder
    to make (for bson, the file). Every tensor is checked on the way; heads go along.
    """
    import warnings

    from albertkit.checkpoints import ReadOptions
    from albertkit.models.conversion import convert

    options = ReadOptions(num_layers=num_layers, num_heads=num_heads, activation=activation)
    done = convert(source, target, to=to, options=options, mode=mode, overwrite=overwrite)
    checkpoint = done.checkpoint
    with notes_on_stderr():
        for note in done.notes:
            warnings.warn(note, UserWarning, stacklevel=1)
    if as_json:
        print_json(
            {
                "source_format": checkpoint.source_format,
                "config": checkpoint.config.to_dict(),
                "tensors": len(checkpoint.state),
                "missing": list(checkpoint.missing),
                "unexpected": list(checkpoint.unexpected),
                "heads": list(checkpoint.heads),
                "notes": list(done.notes),
            }
        )
        return
    config = checkpoint.config
    heads = f", heads {', '.join(checkpoint.heads)}" if checkpoint.heads else ""
    click.echo(
        f"{checkpoint.source_format} -> {to}: {len(checkpoint.state)} tensors, {config.num_hidden_layers} layers of "
        f"{config.hidden_size}, {config.num_attention_heads} attention heads, {config.hidden_act}{heads}: {done.target}"
    )
