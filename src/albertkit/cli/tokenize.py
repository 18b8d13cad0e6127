"""albertkit tokenize: one line of standard input in, one line of pieces or ids out."""

from __future__ import annotations

import click


@click.command(
    "tokenize",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  $ echo 'Unfriendly, (2)!' | albertkit tokenize\n  \u2581un friendly , \u2581 ( 2 ) !",
)
@click.option("--model", default="albert-nano", show_default=True, help="A known model, a directory, or a model file.")
@click.option(
    "--mode",
    type=click.Choice(["google", "tfhub", "huggingface", "keras", "julia"]),
    help="Whose ids to reproduce; ids count from 0 in all of them.  [default: as recorded with the model, else google]",
)
@click.option("--keep-accents", is_flag=True, default=None, help="Do not drop accents.")
@click.option("--specials", is_flag=True, help="Put [CLS] and [SEP] around each text.")
@click.option("--pairs", is_flag=True, help="Each line is two texts: with a tab between, or a JSON list of two.")
@click.option("--jsonl", is_flag=True, help="Each line is a JSON string, or a JSON list of two.")
@click.option("--json", "as_json", is_flag=True, help="Print {ids, pieces, offsets}, one JSON document a line.")
def command(
    *, model: str, mode: str | None, keep_accents: bool | None, specials: bool, pairs: bool, jsonl: bool, as_json: bool
) -> None:
    """Lines of text to pieces, ids and offsets.

    Reads standard input, writes one line a text. Plain input splits at line feeds alone. Offsets are [start, end) in
    characters of the text as given.
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
