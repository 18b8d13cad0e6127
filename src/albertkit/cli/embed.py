"""`albertkit embed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

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
from albertkit.config import POOLINGS


@click.command(cls=Command, epilog="Example: albertkit embed albert-nano --input texts.txt --output vectors.npy")
@click.argument("model")
@click.argument("texts", nargs=-1)
@click.option(
    "--input",
    "input_path",
    type=click.Path(),
    show_default="none",
    help="File with one text per line, or a table; - is standard input.",
)
@input_format_option
@click.option(
    "--output",
    "--out",
    "output_path",
    type=click.Path(),
    show_default="standard output, for texts of the command line",
    help="File to write (.npy or .parquet); a folder with --ray.",
)
@click.option(
    "--pooling",
    type=click.Choice(POOLINGS),
    help="Mean of the last hidden states, the first token's state (cls), or the pooler's output. A Dense layer that "
    "the model declares applies only to its declared pooling.",
    show_default="the model's own, else mean",
)
@click.option(
    "--dimensions",
    type=click.IntRange(min=1),
    show_default="all",
    help="Cut the vectors to this size; the model must have been trained for it (finetune --dimensions).",
)
@click.option("--text-column", show_default="detected", help="Column with the text, if --input is a table.")
@encoding_option
@click.option(
    "--max-length",
    type=int,
    show_default="the model's own",
    help="Longest input in tokens; longer texts are truncated.",
)
@ray_options
@execution_options
@json_option
def command(
    model: str,
    texts: tuple[str, ...],
    input_path: str | None,
    input_format: str | None,
    output_path: str | None,
    pooling: str | None,
    dimensions: int | None,
    text_column: str | None,
    encoding: str | None,
    max_length: int | None,
    ray: str | None,
    workers: int | None,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Compute one vector per text: of a file of any size, or of the command line.

    Texts of the command line without --output are printed as JSON, one line with text and vector each.

    The texts of a file pass piece by piece, so neither file has to fit in memory; the output takes its name when it is
    complete. Parquet holds text and vector, the other columns of a table, and what `albertkit nearest` has to know.
    With --ray many machines do it, each part of the file by one worker.
    """
    if bool(texts) == bool(input_path):
        raise click.UsageError("give either texts or --input FILE")
    if output_path is None and (input_path is not None or ray is not None):
        context = click.get_current_context()
        output = next(param for param in context.command.params if param.name == "output_path")
        raise click.MissingParameter(ctx=context, param=output)
    for option, value in (("--encoding", encoding), ("--input-format", input_format), ("--text-column", text_column)):
        if value is not None and input_path is None:
            raise click.UsageError(f"{option} needs --input")
    if ray is not None:
        if input_path is None:
            raise click.UsageError("--ray needs --input FILE and --output FOLDER")
        for option, given in (("--encoding", encoding), ("--input -", input_path == "-" or None)):
            if given is not None:
                raise click.UsageError(f"{option} cannot be used with --ray")
        _on_ray(
            model,
            input_path,
            output_path,
            pooling=pooling,
            dimensions=dimensions,
            text_column=text_column,
            max_length=max_length,
            execution=(device, precision, threads),
            ray=ray,
            workers=workers,
            as_json=as_json,
        )
        return
    if workers is not None:
        raise click.UsageError("--workers needs --ray")
    import time
    from contextlib import nullcontext

    from albertkit.cli.inputs import input_path_of, require_other
    from albertkit.datasets.text_files import Piece, open_texts
    from albertkit.errors import UsageError
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.io.counts import counted_noun
    from albertkit.io.progress import Console, counted
    from albertkit.io.vectors import MadeBy, open_vectors
    from albertkit.models.model_files import model_path

    execution = choose_execution(device=device, precision=precision, threads=threads)
    target = None if output_path is None else Path(output_path)
    if target is not None and target.suffix not in (".npy", ".parquet"):
        raise UsageError(f'--output "{output_path}" must end in .npy or .parquet')
    if input_path is None:
        total, pieces = len(texts), iter([Piece(list(texts))])
    else:
        source = input_path_of(input_path, kind=input_format, text_column=text_column)
        require_other(str(target), source)
        file = open_texts(source, text_column=text_column, encoding=encoding)
        total, pieces = file.check().rows, file.pieces()
        for warning in file.warnings:
            click.echo(f"note: {warning}", err=True)
    with notes_on_stderr():
        predictor = Predictor.load(model, execution=execution)
    pooling = pooling or predictor.default_pooling
    path = model_path(model)
    length = predictor.model.max_length if max_length is None else max_length
    made_by = MadeBy(model if path is None else str(Path(model).resolve()), pooling, length)
    # Report an impossible length or size before the command creates any file.
    width = predictor.embed([], pooling=pooling, dimensions=dimensions, max_length=max_length).shape[1]
    started = time.perf_counter()
    count = blank = 0
    with (
        Console().bar("embedding", total=total) as advance,
        nullcontext(_print) if target is None else open_vectors(target, dimensions=width, made_by=made_by) as write,
    ):
        for piece in pieces:
            vectors = predictor.embed(
                piece.texts, pooling=pooling, dimensions=dimensions, max_length=max_length, progress=counted(advance)
            )
            write(vectors, piece.texts, piece.others)
            count += len(piece.texts)
            blank += sum(not text.strip() for text in piece.texts)
    if blank:
        click.echo(f"note: {blank:,} of {count:,} texts are empty or blank; their vectors mean nothing", err=True)
    say_truncation(predictor)
    if target is None:
        return
    summary = {"texts": count, "dimensions": width, "seconds": round(time.perf_counter() - started, 3)}
    if as_json:
        print_json(summary)
    else:
        click.echo(f"{counted_noun(count, 'vector')} of {width} in {summary['seconds']} s: {output_path}")


def _print(vectors: Any, texts: Sequence[str], _: Mapping[str, Any]) -> None:
    for text, vector in zip(texts, vectors, strict=True):
        print_json({"text": text, "vector": [float(value) for value in vector]})


def _on_ray(
    model: str,
    input_path: str,
    output_path: str | None,
    *,
    pooling: str | None,
    dimensions: int | None,
    text_column: str | None,
    max_length: int | None,
    execution: tuple[str, str, int | None],
    ray: str,
    workers: int | None,
    as_json: bool,
) -> None:
    from albertkit.cli.ray import run_and_tell
    from albertkit.datasets.text_files import open_texts
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.io.files import local_path
    from albertkit.models.model_files import model_path
    from albertkit.scaling.job import Job
    from albertkit.scaling.run import output_folder

    assert output_path is not None
    source = local_path(input_path).resolve()
    folder = output_folder(output_path, source)
    columns = open_texts(source, text_column=text_column).columns
    with notes_on_stderr():  # what is wrong with the model is told before Ray begins
        predictor = Predictor.load(model, execution=choose_execution(device="cpu", precision="fp32"))
    predictor.embed("", pooling=pooling, dimensions=dimensions, max_length=max_length)
    device, precision, threads = execution
    job = Job(
        verb="embed",
        model=model if model_path(model) is None else str(Path(model).resolve()),
        input=source,
        output=folder,
        columns=columns,
        pooling=pooling or predictor.default_pooling,
        dimensions=dimensions,
        max_length=predictor.model.max_length if max_length is None else max_length,
        device=device,
        precision=precision,
    )
    del predictor
    run_and_tell(job, address=ray, workers=workers, threads=threads, as_json=as_json)
