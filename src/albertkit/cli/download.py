"""`albertkit download`."""

from __future__ import annotations

import click

from albertkit.cli.help import Command
from albertkit.cli.options import json_option, print_json


@click.command(cls=Command, epilog="Example: albertkit download albert-base-v2 --yes")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Download without asking (also: ALBERTKIT_YES=1).")
@click.option("--offline", is_flag=True, help="Use only the cache (also: ALBERTKIT_OFFLINE=1).")
@click.option(
    "--source",
    type=click.Choice(["hub", "google"]),
    show_default="hub",
    help="Source of a model: the Hugging Face hub, or Google's TensorFlow checkpoint.",
)
@click.option("--verify", is_flag=True, help="Check the cached files against their hashes.")
@json_option
def command(name: str, yes: bool, offline: bool, source: str | None, verify: bool, as_json: bool) -> None:
    """Download a known model or data set, after asking.

    NAME is a model of `albertkit models`, ORG/NAME[@REVISION] of a model on the hub, hf:ORG/NAME[/CONFIG][@REVISION] of
    a data set on the hub, imdb, glue/sst2 and the other tasks of GLUE, or onnxruntime-web, which `export --to web`
    needs. The folder is printed. A download that was cut continues when the same command is given again.
    """
    from albertkit.config import PUBLISHED
    from albertkit.datasets.hugging_face import fetch_hugging_face
    from albertkit.datasets.sources import DATASET_DOWNLOADS, fetch_dataset
    from albertkit.errors import UsageError, did_you_mean
    from albertkit.hub.consent import DownloadError, consent_by
    from albertkit.hub.download import fetch_model
    from albertkit.hub.hub_names import HUGGING_FACE, hub_name
    from albertkit.hub.npm import WEB_RUNTIME, fetch_web_runtime
    from albertkit.io.manifest import MANIFEST, changed_files
    from albertkit.io.progress import Console

    known = [*PUBLISHED, *DATASET_DOWNLOADS, WEB_RUNTIME]
    families = {each.partition("/")[0] for each in DATASET_DOWNLOADS}
    on_hub = name.startswith(HUGGING_FACE)
    is_model = name in PUBLISHED or (name.partition("/")[0] not in families and hub_name(name) is not None)
    if name not in known and not is_model and not on_hub:
        hint = did_you_mean(name, known) or f" (known: {', '.join(known)})"
        raise UsageError(f'no known model or data set "{name}"{hint}')
    consent, forbidden = consent_by(yes=yes), True if offline else None
    if is_model:
        folder = fetch_model(name, consent=consent, offline=forbidden, source=source, progress=Console())
    elif on_hub:
        folder = fetch_hugging_face(name, consent=consent, offline=forbidden, progress=Console())
    elif name == WEB_RUNTIME:
        folder = fetch_web_runtime(consent=consent, offline=forbidden, progress=Console())
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
