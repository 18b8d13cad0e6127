"""`albertkit mine`."""

from __future__ import annotations

from typing import Any

import click

from albertkit.cli.help import Command
from albertkit.cli.options import data_options, execution_options, json_option, notes_on_stderr, print_json


@click.command(
    cls=Command,
    epilog="Example: albertkit mine albert-nano --data pairs.csv --corpus answers.txt --output triplets.jsonl",
)
@click.argument("model")
@click.option(
    "--data",
    required=True,
    help="Pairs that belong together: a table with two texts per row, hf:ORG/NAME[/CONFIG], or a known data set.",
)
@click.option(
    "--corpus", type=click.Path(), show_default="none",
    help="File with more texts to choose negatives from, besides the second texts of all pairs.",
)  # fmt: skip
@click.option("--corpus-column", show_default="detected", help="Column with the text, if --corpus is a table.")
@click.option(
    "--output", "--out", "output_path", type=click.Path(), required=True,
    help="File to write (.jsonl, .csv, .tsv or .parquet): anchor, positive, negative.",
)  # fmt: skip
@click.option("--split", default="train", show_default=True, help="Split of the pairs.")
@click.option(
    "--threshold", type=float, show_default="all pairs",
    help="Pairs with numbers: those with at least this number belong together.",
)  # fmt: skip
@click.option("--negatives", type=int, default=3, show_default=True, help="Maximum number of negatives per pair.")
@click.option(
    "--margin", type=float, show_default="none",
    help="A negative's cosine is at most the positive's minus this.",
)  # fmt: skip
@click.option(
    "--relative-margin", type=float, default=0.05, show_default=True,
    help="A negative's cosine is at most the positive's minus this share of it: what is nearer may be right, too.",
)  # fmt: skip
@click.option("--range-min", type=int, default=0, show_default=True, help="Leave out this many of the nearest texts.")
@click.option("--range-max", type=int, default=50, show_default=True, help="Choose from this many nearest texts.")
@click.option(
    "--sampling", type=click.Choice(["top", "random"]), default="top", show_default=True,
    help="Take the nearest of them, or any.",
)  # fmt: skip
@click.option("--seed", type=int, default=12345, show_default=True, help="Random seed of --sampling random.")
@data_options
@execution_options
@json_option
def command(
    model: str,
    data: str,
    corpus: str | None,
    corpus_column: str | None,
    output_path: str,
    split: str,
    threshold: float | None,
    data_dir: str | None,
    text_column: str | None,
    pair_column: str | None,
    label_column: str | None,
    labels: tuple[str, ...] | None,
    encoding: str | None,
    skip_bad_rows: bool,
    device: str,
    precision: str,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Mine hard negatives for pairs of texts by a model's vectors.

    Each negative becomes a row of a table that `finetune --task similarity` trains on. Texts that are about as near as
    the positive are left out, since some of them are right answers that no pair names.
    """
    import time
    from pathlib import Path

    from albertkit.cli.inputs import require_other
    from albertkit.datasets import DATASETS, open_data
    from albertkit.datasets.positives import corpus_texts, positive_pairs
    from albertkit.errors import DataError
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.mining import MiningSettings, mine
    from albertkit.inference.predictor import Predictor
    from albertkit.io.counts import counted_noun
    from albertkit.io.progress import Console
    from albertkit.io.tables import WRITABLE, open_table_writer

    started = time.perf_counter()
    execution = choose_execution(device=device, precision=precision, threads=threads)
    settings = MiningSettings(**options)
    if Path(output_path).suffix.lower() not in (".jsonl", *WRITABLE):
        raise click.UsageError(f'--output "{output_path}" must end in .jsonl, {", ".join(WRITABLE)}')
    require_other(output_path, Path(data), option="--data")
    if corpus is not None:
        require_other(output_path, Path(corpus), option="--corpus")
    if labels is not None:
        raise click.UsageError("--labels is for classes, and pairs have none; leave it out")
    source = open_data(
        data,
        data_dir=data_dir,
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        task="regression" if threshold is not None and data not in DATASETS else None,
        encoding=encoding,
        skip_bad_rows=skip_bad_rows,
    )
    dataset = source.split(split)
    pairs = positive_pairs(dataset, threshold=threshold)
    for note in dataset.warnings:
        click.echo(f"note: {note}", err=True)
    with notes_on_stderr():
        texts = [] if corpus is None else corpus_texts(Path(corpus), text_column=corpus_column)
        predictor = Predictor.load(model, execution=execution)
    with open_table_writer(Path(output_path)) as write:
        found = mine(predictor, pairs, corpus=texts, settings=settings, progress=Console())
        if not found.triplets:
            raise DataError(
                f"{data}: no negative is left for any of {found.pairs:,} pairs; lower --relative-margin, raise "
                "--range-max or give a larger --corpus"
            )
        write({name: [getattr(row, name) for row in found.triplets] for name in ("anchor", "positive", "negative")})
    summary = {
        "pairs": found.pairs,
        "corpus": found.corpus,
        "triplets": len(found.triplets),
        "too_near": found.too_near,
        "without_negative": found.without,
        "seconds": round(time.perf_counter() - started, 3),
    }
    if as_json:
        print_json(summary)
        return
    click.echo(
        f"{counted_noun(len(found.triplets), 'triplet')} of {counted_noun(found.pairs, 'pair')} and "
        f"{counted_noun(found.corpus, 'text')} in {summary['seconds']} s: {output_path}"
    )
    if found.without:
        click.echo(
            f"note: {counted_noun(found.without, 'pair')} got no negative; lower --relative-margin, raise --range-max "
            "or give a larger --corpus",
            err=True,
        )
