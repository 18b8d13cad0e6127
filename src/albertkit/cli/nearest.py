"""`albertkit nearest`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from albertkit.cli.help import Command
from albertkit.cli.options import execution_options, json_option, notes_on_stderr, print_json


@click.command(cls=Command, epilog='Example: albertkit nearest vectors.parquet "a dog runs" --top 3')
@click.argument("vectors", type=click.Path())
@click.argument("text")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Number of texts to show.")
@click.option("--model", show_default="recorded in the file", help="Model that made the vectors.")
@execution_options
@json_option
def command(
    vectors: str,
    text: str,
    top: int,
    model: str | None,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Find the texts most similar to a text in a file of vectors.

    VECTORS is a .parquet file of `albertkit embed`, or the folder that it filled with --ray. TEXT is embedded as its
    texts were; nearness is the cosine, from -1 to 1. The file is read piece by piece, whatever its size. --json also
    gives the other columns of the file.
    """
    from albertkit.cli.outputs import keep_other_names
    from albertkit.errors import UsageError
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.io.vectors import VectorFile, nearest, question_vector
    from albertkit.models.model_files import model_path

    execution = choose_execution(device=device, precision=precision, threads=threads)
    file = VectorFile(Path(vectors))
    said = file.made_by
    if model is None and said is None:
        raise UsageError(f"{vectors} does not say which model made its vectors; give the model with --model")
    name = model or (said.model if said else "")
    try:
        model_path(name)
    except UsageError as error:
        if model is not None:
            raise
        sentence = f'{vectors} was made with "{name}", which no longer exists; give its new path with --model'
        raise UsageError(sentence) from error
    with notes_on_stderr():
        predictor = Predictor.load(name, execution=execution)

    def embed(texts: list[str]) -> Any:
        return predictor.embed(
            texts, pooling=said.pooling if said else None, max_length=said.max_length if said else None
        )

    question = question_vector(file, text, embed=embed, model=name)
    found = nearest(file, question, top=top)
    if as_json:
        others = file.others([one.row for one in found])
        print_json(
            [
                {"text": one.text, "similarity": one.cosine, **keep_other_names(kept, ("text", "similarity"))}
                for one, kept in zip(found, others, strict=True)
            ]
        )
    else:
        for one in found:
            click.echo(f"{one.cosine:.4f}  {one.text}")
