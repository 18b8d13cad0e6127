"""`albertkit audit`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import data_options, execution_options, json_option, notes_on_stderr, print_json


@click.command(cls=Command, epilog="Example: albertkit audit reviews.csv --out audit-reviews")
@click.argument("data")
@click.option(
    "--out",
    "--output",
    "out",
    type=click.Path(),
    show_default="none",
    help="Folder to write: audit.html, audit.json and suspects.csv, the rows to relabel.",
)
@click.option("--model", default="albert-nano", show_default=True, help="Model whose vectors compare the texts.")
@click.option("--split", show_default="all", help="Look at this split only.")
@click.option("--limit", type=int, show_default="all", help="Use only the first N rows of each split.")
@click.option(
    "--max-length", type=int, default=128, show_default=True, help="Longest input in tokens; longer texts are reported."
)
@click.option("--seed", type=int, default=12345, show_default=True, help="Random seed of the folds.")
@data_options
@execution_options
@json_option
def command(
    data: str,
    out: str | None,
    model: str,
    split: str | None,
    limit: int | None,
    max_length: int,
    seed: int,
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
) -> None:
    """Find likely label errors, duplicates, leaks and outliers in a data set.

    DATA is a known data set, a table of texts with labels, or hf:ORG/NAME on the Hugging Face hub. Label errors
    are rows whose label is improbable for models trained on the other rows; many of these rows are only difficult, so
    read them before you change them. Rows count from 0 within their split.
    """
    from pathlib import Path

    from rich.console import Console as RichConsole
    from rich.table import Table as RichTable

    from albertkit.auditing.audit import audit
    from albertkit.auditing.writing import summary, write_audit
    from albertkit.datasets import open_data
    from albertkit.hardware.device import choose_execution
    from albertkit.inference.predictor import Predictor
    from albertkit.io.progress import Console, counted

    execution = choose_execution(device=device, precision=precision, threads=threads)
    source = open_data(
        data,
        data_dir=data_dir,
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        labels=labels,
        encoding=encoding,
        skip_bad_rows=skip_bad_rows,
    )
    with notes_on_stderr():
        predictor = Predictor.load(model, execution=execution)
    splits = None if split is None else [split]
    total = sum(len(source.split(name).take(limit)) for name in splits or source.splits)
    with Console().bar("embedding", total=total) as advance:
        found = audit(
            source, predictor, splits=splits, limit=limit, max_length=max_length, seed=seed, progress=counted(advance)
        )
    files = () if out is None else write_audit(found, Path(out))
    if as_json:
        print_json(found.to_dict())
        return
    console = RichConsole(highlight=False)
    shown = RichTable(box=None, pad_edge=False)
    shown.add_column(found.data)
    shown.add_column("found", justify="right")
    shown.add_column("")
    for name, count, advice in summary(found):
        shown.add_row(name, f"{count:,}", advice if count else "")
    console.print(shown)
    for name, counts in found.balance.items():
        if found.task != "regression":
            console.print(
                f"{name}: " + ", ".join(f"{label} {count:,}" for label, count in list(counts.items())[:12]),
                markup=False,
            )
    for one in found.label_errors[:5]:
        text = one.place.text if len(one.place.text) <= 60 else f"{one.place.text[:60]} .."
        console.print(f"{one.place.split} {one.place.row}: {one.place.label}, or {one.suggested}? {text}", markup=False)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    if out is not None:
        click.echo(f"{out}: {', '.join(files)}")
