"""`albertkit embed`."""

from __future__ import annotations

from pathlib import Path

import click

from albertkit.cli.options import execution_options, json_option, notes_on_stderr, print_json


@click.command(epilog="Example: albertkit embed albert-nano --input texts.txt --output vectors.npy")
@click.argument("model")
@click.option("--input", "input_path", type=click.Path(), required=True, help="One text a line, or a table.")
@click.option("--output", "output_path", type=click.Path(), required=True, help="A .npy or .parquet file.")
@click.option(
    "--pooling",
    type=click.Choice(["mean", "cls", "pooler"]),
    default="mean",
    show_default=True,
    help="Mean of the last hidden states, the first token's, or the pooler's output.",
)
@click.option("--text-column", help="Column of the text, when --input is a table.")
@click.option("--max-length", type=int, help="Longest input in tokens; the model's own when left out.")
@execution_options
@json_option
def command(
    model: str,
    input_path: str,
    output_path: str,
    pooling: str,
    text_column: str | None,
    max_length: int | None,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """One vector for each line of a file."""
    import time

    from albertkit.cli.inputs import read_texts
    from albertkit.device import choose_execution
    from albertkit.errors import UsageError
    from albertkit.predictor import Predictor
    from albertkit.progress import Console, counted
    from albertkit.vectors import write_vectors

    if Path(output_path).suffix not in (".npy", ".parquet"):
        raise UsageError(f'--output "{output_path}" must end in .npy or .parquet')
    texts = [row if isinstance(row, str) else row[0] for row in read_texts(Path(input_path), text_column=text_column)]
    execution = choose_execution(device=device, precision=precision, threads=threads)
    with notes_on_stderr():
        predictor = Predictor.load(model, execution=execution)
    started = time.perf_counter()
    with Console().bar("embedding", total=len(texts)) as advance:
        vectors = predictor.embed(texts, pooling=pooling, max_length=max_length, progress=counted(advance))
    write_vectors(Path(output_path), vectors, texts=texts)
    dimensions = predictor.model.network.config.hidden_size
    summary = {"texts": len(texts), "dimensions": dimensions, "seconds": round(time.perf_counter() - started, 3)}
    if as_json:
        print_json(summary)
    else:
        click.echo(f"{len(texts)} vectors of {dimensions} in {summary['seconds']} s: {output_path}")
