"""`albertkit export`."""

from __future__ import annotations

import warnings

import click

from albertkit.cli.help import Command
from albertkit.cli.options import data_options, json_option, notes_on_stderr, print_json, say_truncation


@click.command(
    cls=Command,
    moved={"precision": "Output"},
    epilog="Example: albertkit export runs/polarity --to onnx --out polarity-onnx",
)
@click.argument("run")
@click.option(
    "--to", default="onnx", show_default=True, help="onnx, openvino or web (a page that runs the model in the browser)."
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int12", "int8"]),
    show_default="fp32; int12 for web",
    help="Number format of the stored weights: fp16 halves the file, int8 quarters it, int12 is fp16 with the word "
    "embeddings in 12 bits. The model computes in fp32.",
)
@click.option("--out", "--output", "out", type=click.Path(), required=True, help="Folder to create.")
@click.option(
    "--data",
    show_default="none",
    help="Labelled data to score both models on; an export that loses more than 0.5 points is refused.",
)
@click.option("--split", show_default="dev if there is one, else test", help="Split of --data to score.")
@click.option("--limit", type=int, show_default="all", help="Use only the first N examples of --data.")
@data_options
@json_option
def command(
    run: str,
    to: str,
    precision: str | None,
    out: str,
    data: str | None,
    split: str | None,
    limit: int | None,
    data_dir: str | None,
    text_column: str | None,
    pair_column: str | None,
    label_column: str | None,
    labels: tuple[str, ...] | None,
    encoding: str | None,
    skip_bad_rows: bool,
    as_json: bool,
) -> None:
    """Export a trained model to ONNX, OpenVINO or a page for the browser.

    RUN is a run directory, a model folder or a known model. Running the export needs no torch. The folder holds the
    network with its shared weights stored once, the tokenizer and the task; predict, embed and evaluate take it like
    any other model. A dozen texts go through both models first: an export that gives other numbers is not kept. With
    --data both are scored, too. --to web also puts onnxruntime-web into the folder; it is downloaded once, after
    asking (14 MB).
    """
    from dataclasses import asdict

    from albertkit.exporting.export import export
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.io.counts import counted_noun
    from albertkit.io.progress import Console, counted
    from albertkit.models.loaded import announce
    from albertkit.models.pretrained import load_model

    with notes_on_stderr():
        model = load_model(run)
        announce(model.notes)
        scores = []
        accept = None
        if data is not None:
            from albertkit.evaluation.kept import check_kept
            from albertkit.training.run_data import open_for_run

            source = open_for_run(
                run,
                data,
                task=None if model.task is None else model.task.data_task,
                labels=model.labels,
                columns={"text_column": text_column, "pair_column": pair_column, "label_column": label_column},
                given_labels=labels,
                data_dir=data_dir,
                encoding=encoding,
                skip_bad_rows=skip_bad_rows,
            )
            chosen = split or next((name for name in ("dev", "test") if name in source.splits), source.splits[0])
            dataset = source.split(chosen).take(limit)
            original = Predictor(model, execution=choose_execution(device="cpu", precision="fp32"))

            def accept(exported: Predictor) -> None:
                with Console().bar("scoring both", total=2 * len(dataset)) as advance:
                    scores.append(check_kept(original, exported, dataset, progress=counted(advance)))
                say_truncation(original)

        elif precision == "int8" and model.task is not None:
            warnings.warn(
                "int8 rounds the weights, and the exported model was not scored; pass --data to score it, and an "
                "export that loses more than 0.5 points is refused",
                stacklevel=1,
            )
        made = export(model, out, to=to, precision=precision, accept=accept)
        announce(made.notes)
    if as_json:
        scored = {"scores": asdict(scores[0])} if scores else {}
        sizes = {"bytes": made.bytes, **({"runtime_bytes": made.runtime_bytes} if to == "web" else {})}
        print_json({"files": list(made.files), **sizes, "max_difference": made.max_difference, **scored})
        return
    apart = made.max_difference
    apart_text = f"{apart:.1f}" if apart >= 0.1 else f"{apart:.1g}"
    rounding = f" ({made.precision} rounding)" if made.precision != "fp32" else ""
    click.echo(f"{made.folder}: {', '.join(made.files)}")
    click.echo(f"{made.bytes / 1e6:.1f} MB; largest output difference {apart_text}{rounding}.")
    if to == "web":
        click.echo(f"The browser also loads tokenizer.json and {made.runtime_bytes / 1e6:.1f} MB of onnxruntime-web.")
        click.echo(f"To look at it: python -m http.server --directory {made.folder} (any web server will do).")
    for kept in scores:
        scored_on = counted_noun(kept.examples, "example")
        click.echo(f"{kept.metric} on {scored_on}: {kept.before:.2f}, exported {kept.after:.2f}")
