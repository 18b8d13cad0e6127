"""`albertkit export`."""

from __future__ import annotations

import click

from albertkit.cli.options import json_option, notes_on_stderr, print_json


@click.command(epilog="Example: albertkit export runs/polarity --to onnx --out polarity-onnx")
@click.argument("run")
@click.option("--to", default="onnx", show_default=True, help="onnx, or openvino (Intel's).")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="Type of the stored weights; fp16 halves the file. Products are fp32 in either case.",
)
@click.option("--out", type=click.Path(), required=True, help="The folder to make.")
@json_option
def command(run: str, to: str, precision: str, out: str, as_json: bool) -> None:
    """A trained model as ONNX or OpenVINO, to predict without torch.

    RUN is a run directory, a model folder or a known model. The folder holds the network with its shared weights
    stored once, the tokenizer and the task; predict, embed and evaluate take it like any other model. A dozen texts go
    through both models first: an export that gives other numbers is not kept.
    """
    from albertkit.exporting.export import export
    from albertkit.pretrained import announce, load_model

    with notes_on_stderr():
        model = load_model(run)
        announce(model.notes)
        made = export(model, out, to=to, precision=precision)
        announce(made.notes)
    if as_json:
        print_json({"files": list(made.files), "bytes": made.bytes, "max_difference": made.max_difference})
        return
    what = f"{', '.join(made.files)}, {made.bytes / 1e6:.1f} MB"
    click.echo(f"{what}, within {made.max_difference:.1g} of the original: {made.folder}")
