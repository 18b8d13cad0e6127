"""`albertkit push`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import json_option, print_json


@click.command(cls=Command, epilog="Example: albertkit push runs/film my-team/film-reviews --yes")
@click.argument("run")
@click.argument("repository", metavar="ORG/NAME")
@click.option("--yes", is_flag=True, help="Upload. Without it, the command only shows what would be sent.")
@click.option("--private", is_flag=True, help="Make a new repository that only its owners see.")
@click.option(
    "--message", default="Upload model with albertkit", show_default=True, help="Message of the commit on the hub."
)
@json_option
def command(run: str, repository: str, yes: bool, private: bool, message: str, as_json: bool) -> None:
    """Send a trained model to the Hugging Face hub.

    The model's files and its card (README.md) go, never checkpoints or pickled files. The token is that of
    `hf auth login`, or HF_TOKEN. $HF_ENDPOINT names another hub.
    """
    from albertkit.hub.consent import megabytes
    from albertkit.io.counts import counted_noun
    from albertkit.models.push import prepare_upload, upload

    prepared = prepare_upload(run, repository, private=private)
    sizes = prepared.sizes
    commit = upload(prepared, message=message) if yes else None
    if as_json:
        print_json(
            {
                "files": [*sizes],
                "bytes": sum(sizes.values()),
                "repository": repository,
                "url": prepared.url,
                "private": private,
                "left_out": [*prepared.left_out],
                "uploaded": yes,
                "commit": commit,
            }
        )
        return
    for name, size in sizes.items():
        click.echo(f"  {megabytes(size):>8}  {name}")
    if prepared.left_out:
        click.echo(f"not part of a model, left out: {', '.join(prepared.left_out)}")
    total = f"{counted_noun(len(sizes), 'file')}, {megabytes(sum(sizes.values()))}"
    if commit is None:
        made = "a private repository" if private else "a public repository, which everybody can see (else: --private)"
        click.echo(
            f"{total}, would go to {prepared.url}. Where there is none yet, --yes would create {made}. Nothing was "
            "sent; add --yes to send it."
        )
    else:
        click.echo(f"{total}: {commit}")
