"""`albertkit download`."""

from __future__ import annotations

import click

from albertkit.cli.options import json_option, print_json


@click.command(epilog="Example: albertkit download albert-base-v2 --yes")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask; ALBERTKIT_YES=1 does the same.")
@click.option("--offline", is_flag=True, help="Only look into the cache; ALBERTKIT_OFFLINE=1 does the same.")
@click.option(
    "--source",
    type=click.Choice(["hub", "google"]),
    help="Of a model: the Hugging Face hub (when left out), or Google's archive of the TensorFlow checkpoint.",
)
@click.option("--verify", is_flag=True, help="Hash the files again and compare with what was downloaded.")
@json_option
def command(name: str, yes: bool, offline: bool, source: str | None, verify: bool, as_json: bool) -> None:
    """Fetch a known model or data set, after asking.

    NAME is a model of `albertkit models`, or imdb, glue/sst2 and the other tasks of GLUE. The folder is printed. A
    download that was cut continues when the same command is given again.
    """
    from albertkit.config import PUBLISHED
    from albertkit.datasets.sources import DATASET_DOWNLOADS, fetch_dataset
    from albertkit.errors import UsageError, did_you_mean
    from albertkit.hub.consent import DownloadError, consent_by
    from albertkit.hub.download import fetch_model
    from albertkit.io.manifest import MANIFEST, changed_files
    from albertkit.io.progress import Console

    known = [*PUBLISHED, *DATASET_DOWNLOADS]
    if name not in known:
        raise UsageError(f'nothing known is called "{name}"{did_you_mean(name, known)} (known: {", ".join(known)})')
    consent, forbidden = consent_by(yes=yes), True if offline else None
    if name in PUBLISHED:
        folder = fetch_model(name, consent=consent, offline=forbidden, source=source, progress=Console())
    else:
        folder = fetch_dataset(name, consent=consent, offline=forbidden, progress=Console())
    place = folder if folder.is_dir() else folder.parent
    if verify and (place / MANIFEST).exists() and (changed := changed_files(place)):
        raise DownloadError(
            f"{place}: {', '.join(changed)} changed since the download; remove the folder and download it again"
        )
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != MANIFEST)
    if as_json:
        print_json(
            {
                "name": name,
                "folder": str(folder),
                "files": [path.relative_to(place).as_posix() for path in files],
                "bytes": sum(path.stat().st_size for path in files),
            }
        )
    else:
        click.echo(str(folder))
