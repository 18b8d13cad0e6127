"""albertkit tokenize: one line of standard input in, one line of pieces or ids out."""

from __future__ import annotations

import click

from albertkit.cli.help import Command


@click.command(
    "tokenize",
    cls=Command,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  $ echo 'Unfriendly, (2)!' | albertkit tokenize\n  \u2581un friendly , \u2581 ( 2 ) !",
)
@click.option("--model", default="albert-nano", show_default=True, help="Known model, folder or tokenizer file.")
@click.option(
    "--mode",
    type=click.Choice(["google", "tfhub", "huggingface", "keras", "julia"]),
    help="Reproduce the ids of this library (ids start at 0).",
    show_default="recorded with the model, else google",
)
@click.option("--keep-accents", is_flag=True, default=None, help="Keep accents.")
@click.option("--specials", is_flag=True, help="Add [CLS] and [SEP] to each text.")
@click.option("--pairs", is_flag=True, help="Read two texts per line: separated by a tab, or a JSON list of two.")
@click.option("--jsonl", is_flag=True, help="Read one JSON string per line (with --pairs: a JSON list of two).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document {ids, pieces, offsets} per line.")
def command(
    *, model: str, mode: str | None, keep_accents: bool | None, specials: bool, pairs: bool, jsonl: bool, as_json: bool
) -> None:
    """Split lines of text into pieces, ids and offsets.

    Reads standard input and writes one line per text. Plain input splits only at line feeds. Offsets are [start, end)
    in characters of the text as given.
    """
    import json
    import sys

    from albertkit.errors import TextError
    from albertkit.models.tokenizers import find_tokenizer
    from albertkit.text.lines import read_lines

    tokenizer, notes = find_tokenizer(model, mode=mode, keep_accents=keep_accents)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    lines, out = read_lines(sys.stdin.buffer, pairs=pairs, jsonl=jsonl), sys.stdout.buffer
    for number, (text, pair) in enumerate(lines, start=1):
        try:
            encoding = tokenizer.encode(text, pair, specials=specials)
        except TextError as error:
            raise TextError(f"standard input, line {number}: {error}") from error
        if as_json:
            row = {"ids": encoding.input_ids, "pieces": encoding.pieces, "offsets": encoding.offsets}
            line = json.dumps(row)
        else:
            line = " ".join(encoding.pieces)
        out.write(line.encode("utf-8") + b"\n")
    out.flush()
