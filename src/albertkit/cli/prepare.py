"""`albertkit prepare`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import encoding_option, json_option, print_json


@click.command(cls=Command, epilog="Example: albertkit prepare books/ wiki.txt.gz --model albert-base-v2 --out shards")
@click.argument("files", nargs=-1, required=True)
@click.option("--model", required=True, help="Tokenizer to use: a known model, a folder, or a tokenizer file.")
@click.option("--out", "--output", "out", required=True, type=click.Path(), help="Folder to write the shards to.")
@click.option(
    "--max-length", type=int, default=512, show_default=True, help="Sequence length in tokens for pretraining."
)
@click.option(
    "--sentences",
    type=click.Choice(["split", "line"]),
    default="split",
    show_default=True,
    help="Split paragraphs into sentences, or treat each line as one sentence.",
)
@click.option("--shard-tokens", type=int, default=16_000_000, show_default=True, help="Tokens per shard.")
@click.option("--processes", type=int, show_default="one per core", help="Worker processes.")
@encoding_option
@click.option(
    "--bad-bytes",
    type=click.Choice(["refuse", "replace"]),
    default="refuse",
    show_default=True,
    help="Invalid bytes: stop with an error, or replace them and count the lines (UTF-8).",
)
@json_option
def command(
    files: tuple[str, ...],
    model: str,
    out: str,
    max_length: int,
    sentences: str,
    shard_tokens: int,
    processes: int | None,
    encoding: str | None,
    bad_bytes: str,
    as_json: bool,
) -> None:
    """Convert raw text to shards for pretraining.

    FILES are text files, plain, .gz or .xz, folders of them, or - for standard input. A blank line ends a document,
    every other line is a paragraph. The same command continues where it was stopped.
    """
    from albertkit.data.corpus.prepare import prepare
    from albertkit.io.counts import counted_noun
    from albertkit.io.progress import Console
    from albertkit.models.tokenizers import find_tokenizer
    from albertkit.text.tokenizer import with_sentencepiece

    tokenizer, notes = find_tokenizer(model)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    try:
        report = prepare(
            files,
            out=out,
            tokenizer=with_sentencepiece(tokenizer),
            max_length=max_length,
            sentences=sentences,
            shard_tokens=shard_tokens,
            processes=processes,
            encoding=encoding,
            bad_bytes=bad_bytes,
            progress=Console(),
        )
    except KeyboardInterrupt:
        click.echo(f"stopped; the same command continues from the last finished shard of {out}", err=True)
        raise SystemExit(130) from None
    if as_json:
        print_json(report)
        return
    seconds = report["seconds"]
    click.echo(
        f"{counted_noun(report['documents'], 'document')}, {counted_noun(report['sentences'], 'sentence')}, "
        f"{counted_noun(report['tokens'], 'token')} from "
        f"{report['bytes'] / 1e6:,.1f} MB of text in {seconds:,.1f} s: {out} (shards: {report['shards']})"
    )
    for name, words in _ODDITIES.items():
        count = report["counts"][name]
        if count:
            click.echo(f"  {count:,} {words}")


_ODDITIES = {
    "bad_bytes": "lines with bytes that are not UTF-8, which were replaced",
    "control_characters": "control characters, which became spaces",
    "split_lines": "lines too long for memory, which were split between words",
    "empty_sentences": "sentences without a token, which were left out",
    "empty_documents": "documents without a token, which were left out",
    "empty_files": "files without text",
}
