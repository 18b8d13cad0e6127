"""`albertkit models`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import json_option, print_json


@click.command(cls=Command, epilog="Example: albertkit models --version v2")
@click.option("--version", "version", show_default="all", help="List only v1, v2, zh or nano.")
@json_option
def command(version: str | None, as_json: bool) -> None:
    """List the known models."""
    from albertkit.hub.consent import megabytes
    from albertkit.hub.known_models import MODEL_DOWNLOADS, known_models

    rows = [row for row in known_models() if version in (None, row["version"])]
    if version is not None and not rows:
        raise click.BadParameter(f'there is no version "{version}"; known: v1, v2, zh, nano', param_hint="--version")
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "parameters", "layers", "hidden", "heads", "licence", "size", "here"):
        table.add_column(title, justify="left" if title in ("name", "licence", "here") else "right", no_wrap=True)
    for row in rows:
        download = MODEL_DOWNLOADS.get(row["name"])
        table.add_row(
            row["name"],
            f"{row['parameters']:,}",
            str(row["layers"]),
            str(row["hidden_size"]),
            str(row["heads"]),
            row["licence"],
            megabytes(download.size) if download and download.size else "",
            "yes" if row["cached"] else "no",
        )
    Console().print(table)
