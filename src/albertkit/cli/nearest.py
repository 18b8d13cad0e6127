"""`albertkit nearest`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from albertkit.cli.help import Command
from albertkit.cli.options import execution_options, json_option, notes_on_stderr, print_json

_CANDIDATES = 50  # texts that a model of pairs orders


@click.command(cls=Command, epilog='Example: albertkit nearest vectors.parquet "a dog runs" --top 3')
@click.argument("vectors", type=click.Path())
@click.argument("text")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Number of texts to show.")
@click.option("--model", show_default="recorded in the file", help="Model that made the vectors.")
@click.option(
    "--index", "by_index", is_flag=True,
    help="Search by an index (faiss, HNSW), which is built next to VECTORS if it is not there: faster for a million "
    "texts, and may miss some. Needs the extra index.",
)  # fmt: skip
@click.option(
    "--rerank", metavar="RUN", show_default="off",
    help="Order the nearest --candidates texts by a model of pairs: a regression, a similarity, or a classification "
    "with --rerank-label.",
)  # fmt: skip
@click.option(
    "--candidates", type=click.IntRange(min=1), show_default="50, or --top if it is more",
    help="Number of nearest texts that --rerank orders.",
)  # fmt: skip
@click.option("--rerank-label", show_default="none", help="With --rerank: the label which means that a text fits.")
@execution_options
@json_option
def command(
    vectors: str,
    text: str,
    top: int,
    model: str | None,
    by_index: bool,
    rerank: str | None,
    candidates: int | None,
    rerank_label: str | None,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Find the texts most similar to a text in a file of vectors.

    VECTORS is a .parquet file of `albertkit embed`, or the folder that it filled with --ray. TEXT is embedded as its
    texts were; nearness is the cosine, from -1 to 1. The file is read piece by piece, whatever its size. --json also
    gives the other columns of the file. With --rerank the first number of each line is that model's score.
    """
    from albertkit.cli.outputs import keep_other_names
    from albertkit.errors import UsageError
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.inference.reranking import pair_scores, score_of
    from albertkit.io.nearest import nearest, question_vector
    from albertkit.io.vectors import VectorFile
    from albertkit.models.model_files import model_path

    if rerank is None and not (candidates is None and rerank_label is None):
        raise click.UsageError("--candidates and --rerank-label need --rerank, the model that orders the texts")
    if rerank is not None:
        candidates = max(candidates or _CANDIDATES, top)
    if by_index:
        from albertkit.io.vector_index import VectorIndex, build_index, import_faiss, index_folder

        import_faiss("--index")
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
        reranker = None if rerank is None else Predictor.load(rerank, execution=execution)
    if reranker is not None:
        score_of(reranker, label=rerank_label)  # what is wrong with it is told before the search

    pooling = said.pooling if said else None
    cut_to = file.dimensions if file.dimensions in predictor.sizes(pooling) else None

    def embed(texts: list[str]) -> Any:
        length = said.max_length if said else None
        return predictor.embed(texts, pooling=pooling, dimensions=cut_to, max_length=length)

    question = question_vector(file, text, embed=embed, model=name)
    top_hits = candidates or top
    if by_index:
        from albertkit.io.progress import Console

        if not index_folder(file).exists():
            click.echo(f"index: {build_index(file, progress=Console())}", err=True)
        found = VectorIndex(file).nearest(question, top=top_hits)
    else:
        found = nearest(file, question, top=top_hits)
    rows: list[dict[str, Any]] = [{"text": one.text, "similarity": one.cosine} for one in found]
    if reranker is not None:
        scores = pair_scores(reranker, text, [one.text for one in found], label=rerank_label)
        best = sorted(range(len(found)), key=lambda number: -scores[number])[:top]
        found = [found[number] for number in best]
        rows = [{**rows[number], "score": scores[number]} for number in best]
    if as_json:
        others = file.columns([one.row for one in found])
        print_json([{**row, **keep_other_names(kept, list(row))} for row, kept in zip(rows, others, strict=True)])
    else:
        for row in rows:
            click.echo(f"{row.get('score', row['similarity']):.4f}  {row['text']}")
