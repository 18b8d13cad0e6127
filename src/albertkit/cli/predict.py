"""`albertkit predict`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from albertkit.cli.exits import exit_options
from albertkit.cli.help import Command
from albertkit.cli.options import (
    encoding_option,
    execution_options,
    input_format_option,
    json_option,
    notes_on_stderr,
    print_json,
    ray_options,
    say_truncation,
)


@click.command(
    cls=Command,
    moved={"patience": "Model"},
    epilog='Example: albertkit predict runs/polarity "a small wonder of a film"',
)
@click.argument("run")
@click.argument("texts", nargs=-1)
@click.option(
    "--input",
    "input_path",
    type=click.Path(),
    show_default="none",
    help="File with one text per line, or a table (.csv .tsv .jsonl .parquet .xlsx); - is standard input.",
)
@input_format_option
@click.option(
    "--output",
    "--out",
    "output_path",
    type=click.Path(),
    show_default="standard output",
    help="File to write: .csv, .tsv or .parquet with the columns of --input, else JSON lines.",
)
@click.option("--text-column", show_default="detected", help="Column with the text, if --input is a table.")
@click.option("--pair-column", show_default="detected", help="Column with the second text, if --input is a table.")
@encoding_option
@click.option(
    "--pair", "pair", multiple=True, show_default="none", help="Second text of each TEXT, for models of text pairs."
)
@click.option("--explain", is_flag=True, help="Show how much each word contributed to the prediction.")
@click.option("--explain-html", type=click.Path(), show_default="none", help="Write the explanation as an HTML page.")
@click.option(
    "--explain-method",
    type=click.Choice(["occlusion", "gradients"]),
    default="occlusion",
    show_default=True,
    help="Mask one word at a time (occlusion), or integrated gradients (faster for long texts; needs the extra "
    "explain).",
)
@click.option("--explain-label", show_default="the predicted label", help="Label to explain.")
@exit_options
@ray_options
@execution_options
@json_option
def command(
    run: str,
    texts: tuple[str, ...],
    input_path: str | None,
    input_format: str | None,
    output_path: str | None,
    text_column: str | None,
    pair_column: str | None,
    encoding: str | None,
    pair: tuple[str, ...],
    explain: bool,
    explain_html: str | None,
    explain_method: str,
    explain_label: str | None,
    patience: int | None,
    entropy: float | None,
    tolerance: float | None,
    ray: str | None,
    workers: int | None,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Predict labels and probabilities for texts.

    The texts of --input pass piece by piece, so the file may have any size. --output keeps the other columns of a
    table, and takes its name when it is complete.
    """
    import sys
    from contextlib import nullcontext

    from albertkit.cli.exits import layers_passed, leaving_early
    from albertkit.cli.inputs import given_texts, input_path_of, read_inputs, require_other
    from albertkit.cli.outputs import open_predictions
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.io.progress import Console, Silent, counted
    from albertkit.models.trained_columns import trained_columns

    if bool(texts) == bool(input_path):
        raise click.UsageError("give either texts or --input FILE")
    for option, value in (("--encoding", encoding), ("--input-format", input_format)):
        if value is not None and input_path is None:
            raise click.UsageError(f"{option} needs --input")
    if ray is not None:
        left_out = {
            "--explain": explain or explain_html or explain_label,
            "--exit-patience": patience,
            "--entropy": entropy,
            "--tolerance": tolerance,
            "--encoding": encoding,
            "--input -": input_path == "-",
        }
        for option, given in left_out.items():
            if given:
                raise click.UsageError(f"{option} cannot be used with --ray")
        _on_ray(
            run,
            input_path,
            output_path,
            columns=(text_column, pair_column),
            execution=(device, precision, threads),
            ray=ray,
            workers=workers,
            as_json=as_json,
        )
        return
    if workers is not None:
        raise click.UsageError("--workers needs --ray")
    if pair and len(pair) != len(texts):
        raise click.UsageError(f"{len(texts)} texts and {len(pair)} --pair: give one --pair for each text")
    with notes_on_stderr():
        predictor = Predictor.load(run, execution=choose_execution(device=device, precision=precision, threads=threads))
    predictor, rule = leaving_early(predictor, patience=patience, entropy=entropy, tolerance=tolerance)
    explained = explain or explain_html is not None or explain_label is not None
    if explained and rule is not None:
        raise click.UsageError("explanations need the whole network; leave out --exit-patience and --entropy")
    if explained:
        from albertkit.explaining.reading import require_labels

        require_labels(predictor)
    if input_path is None:
        inputs = given_texts(texts, pair)
    else:
        with notes_on_stderr():
            source = input_path_of(
                input_path,
                kind=input_format,
                text_column=text_column or pair_column,
                trained=trained_columns(run),
            )
            for written in (output_path, explain_html):
                if written is not None:
                    require_other(written, source)
            inputs = read_inputs(
                source,
                predictor=predictor,
                run=run,
                text_column=text_column,
                pair_column=pair_column,
                encoding=encoding,
            )
    explanations: list[Any] = []  # of all rows where a page shows them
    # On a terminal the rows themselves show how far it is.
    progress = Silent() if output_path is None and sys.stdout.isatty() else Console()
    output = nullcontext() if output_path is None else open_predictions(output_path)
    with output as write, progress.bar("explaining" if explained else "predicting", total=inputs.total) as advance:
        for piece in inputs.pieces:
            predictions = piece.predict(predictor, progress=None if explained else counted(advance))
            of_piece: list[Any] = [None] * len(predictions)
            if explained:
                from albertkit.explaining import explain as explain_texts

                of_piece = explain_texts(
                    predictor, piece.rows, method=explain_method, label=explain_label, progress=counted(advance)
                )
                predictions = [
                    {**row, "explanation": found.to_dict()} for row, found in zip(predictions, of_piece, strict=True)
                ]
                explanations += of_piece if explain_html is not None else []
            task = predictor.model.task
            assert task is not None
            if write is not None:
                write(piece, predictions)
                continue
            for row, explanation in zip(predictions, of_piece, strict=True):
                _print(row, explanation, line_of=task.render, as_json=as_json)
    say_truncation(predictor)
    if rule is not None:
        passed, layers = layers_passed(predictor)
        click.echo(f"{rule}: {passed:.2f} of {layers} layers on average", err=True)
    if explain_html is not None:
        from albertkit.explaining.page import write_page

        page = write_page(explanations, path=explain_html, title=f"Why {run} says so")
        click.echo(f"{len(explanations)} explanations: {page}", err=True)
    if output_path is not None:
        click.echo(f"{inputs.total} predictions: {output_path}", err=True)


def _print(
    row: Mapping[str, Any], explanation: Any, *, line_of: Callable[[Mapping[str, Any]], str], as_json: bool
) -> None:
    if as_json:
        print_json(row)
        return
    click.echo("\t".join([line_of(row), row["text"], *([row["pair"]] if "pair" in row else [])]))
    if explanation is not None:
        from rich.console import Console as RichConsole

        from albertkit.explaining.terminal import render

        render(explanation, console=RichConsole(highlight=False))


def _on_ray(
    run: str,
    input_path: str | None,
    output_path: str | None,
    *,
    columns: tuple[str | None, str | None],
    execution: tuple[str, str, int | None],
    ray: str,
    workers: int | None,
    as_json: bool,
) -> None:
    from albertkit.cli.inputs import open_for_model
    from albertkit.cli.ray import run_and_tell
    from albertkit.datasets.dataset import STRUCTURED_METRICS
    from albertkit.datasets.table_files import is_table
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.io.files import local_path
    from albertkit.models.model_files import model_path
    from albertkit.scaling.job import Job
    from albertkit.scaling.run import output_folder

    if input_path is None or output_path is None:
        raise click.UsageError("--ray needs --input FILE and --output FOLDER")
    source = local_path(input_path).resolve()
    folder = output_folder(output_path, source)
    text_column, pair_column = columns
    with notes_on_stderr():  # what is wrong with the model is told before Ray begins
        predictor = Predictor.load(run, execution=choose_execution(device="cpu", precision="fp32"))
    task = predictor.model.task
    if task is not None and task.data_task in STRUCTURED_METRICS and is_table(source):
        raise click.UsageError(
            f"--ray predicts texts and pairs of texts; a table for {task.data_task} cannot be used with --ray"
        )
    chosen = open_for_model(source, run=run, text_column=text_column, pair_column=pair_column).columns
    predictor.predict("a" if chosen is None or chosen.pair is None else [("a", "b")])
    device, precision, threads = execution
    job = Job(
        verb="predict",
        model=run if model_path(run) is None else str(Path(run).resolve()),
        input=source,
        output=folder,
        columns=chosen,
        device=device,
        precision=precision,
    )
    del predictor
    run_and_tell(job, address=ray, workers=workers, threads=threads, as_json=as_json)
