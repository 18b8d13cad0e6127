"""`albertkit train-vocab`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import encoding_option, json_option, print_json


@click.command(cls=Command, epilog="Example: albertkit train-vocab corpus.txt --size 30000 --out my-vocabulary")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--size", type=int, required=True, help="Vocabulary size, including the 13 fixed pieces.")
@click.option("--out", "--output", "out", type=click.Path(), required=True, help="Folder to write; new or empty.")
@click.option(
    "--sentences", type=int, default=10_000_000, show_default=True, help="Maximum number of sentences to sample."
)
@click.option("--seed", type=int, default=12345, show_default=True, help="Random seed of the sample.")
@click.option(
    "--threads", type=int, default=16, show_default=True,
    help="SentencePiece threads; another number gives slightly different pieces (rounding).",
)  # fmt: skip
@encoding_option
@json_option
def command(
    files: tuple[str, ...],
    size: int,
    out: str,
    sentences: int,
    seed: int,
    threads: int,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Train a SentencePiece vocabulary with ALBERT's special tokens.

    FILES are text, best with a sentence a line. Text is put into lower case without accents first, as the
    tokenizer does; all settings are those of the official vocabulary. The folder that is written works wherever a
    tokenizer is asked for.
    """
    from dataclasses import asdict

    from albertkit.io.progress import Console
    from albertkit.text.train_vocabulary import train_vocabulary

    found = train_vocabulary(
        files,
        out=out,
        size=size,
        sentences=sentences,
        seed=seed,
        threads=threads,
        encoding=encoding,
        progress=Console(),
    )
    if as_json:
        print_json({**asdict(found), "seconds": round(found.seconds, 3)})
        return
    click.echo(f"{found.pieces:,} pieces from {found.sentences:,} sentences in {found.seconds:.1f} s: {out}")
    if found.left_out:
        click.echo(
            f"{found.left_out:,} sentences were left out: they hold a word of more than 4,192 bytes, or U+2585, "
            "which sentencepiece keeps for itself"
        )
