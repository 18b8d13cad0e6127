"""Data sets in the layout of the datasets library: `hf:` and a name on the Hugging Face hub, or a folder.

The library only ever reads folders of this machine. What is on the hub is downloaded by albertkit (`hub/hub_datasets`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from albertkit.errors import AlbertkitError, DataError, MissingExtraError, UsageError, did_you_mean, nearest_file
from albertkit.hub.hub_names import HUGGING_FACE, HubDataset, hub_dataset
from albertkit.io.files import WriteError, read_json
from albertkit.io.manifest import read_manifest
from albertkit.io.progress import Progress

if TYPE_CHECKING:
    from albertkit.hub.consent import Consent

_FORMATS = ("parquet", "csv", "json", "arrow", "text", "conll")
"""The library's readers that give texts; others give pictures or sounds, or might unpickle."""
_SAVED = ("dataset_dict.json", "state.json")
"""What `save_to_disk` writes for several splits and for one."""
_UNREAD = ".huggingface.yaml"
"""A file that nothing documents, from which the library takes configs, too."""
_PLACES = ("data_files", "data_dir")
"""Keys of a config that name files."""


def open_hugging_face(name: str, *, progress: Progress) -> tuple[str, Mapping[str, Any]]:
    """Return what the data are called, and a table of the datasets library for each split.

    A name on the hub that is not in the cache is downloaded, after a question at the terminal.

    Args:
        name: hf: and a name on the hub or a folder, see `hub_dataset`.
        progress: gets the progress reports.

    Returns:
        The name with the commit of what was downloaded, or the folder as it was given; split -> table.

    Raises:
        UsageError: it is no such name, or there is no such config.
        DataError: the folder is not there, or its files cannot be read.
        DownloadError: see `fetch_hugging_face`.
        MissingExtraError: datasets is not installed.
    """
    _require_library(name)
    found = hub_dataset(name)
    if found is None:
        folder, config = _place(name)
        with TemporaryDirectory() as temporary:
            return name, _read(folder, config, where=name, cache=Path(temporary))
    folder = fetch_hugging_face(name, progress=progress)
    manifest = read_manifest(folder)
    return name if manifest is None else manifest.name, _read(folder, None, where=name, cache=folder)


def fetch_hugging_face(
    name: str, *, progress: Progress, consent: Consent | None = None, offline: bool | None = None
) -> Path:
    """Return the cached folder of a data set on the hub, downloading it where it is not there yet.

    Args:
        name: hf: and a name on the hub.
        progress: gets the progress reports.
        consent: asked before anything is sent; as ALBERTKIT_YES says, or by a question, if None.
        offline: forbid all downloads; as ALBERTKIT_OFFLINE and HF_HUB_OFFLINE say if None.

    Raises:
        UsageError: it is no name on the hub, or there is no such config.
        DataError: what was downloaded cannot be read.
        DownloadError: not allowed, not reachable, not there, or for some users only.
        WriteError: the disk is full or refuses.
        MissingExtraError: datasets is not installed.
    """
    # Here, since a folder needs no network and these libraries take a tenth of a second to import.
    from albertkit.hub.hub_datasets import fetch_hub_dataset

    _require_library(name)
    found = hub_dataset(name)
    if found is None:
        raise UsageError(f"{name} is a folder on this machine, so there is nothing to download; give a name on the hub")
    known: HubDataset = found

    def finish(folder: Path, target: Path) -> None:
        with TemporaryDirectory(dir=folder.parent) as cache, _one_sentence(name):
            builder = _builder(folder, known.config, where=name, cache=Path(cache))
            _built(builder, where=name).save_to_disk(str(target))

    return fetch_hub_dataset(
        known,
        choose=lambda folder: _files(folder, known.config, where=name),
        finish=finish,
        consent=consent,
        offline=offline,
        progress=progress,
    )


def _require_library(name: str) -> None:
    try:
        from datasets import load_dataset_builder  # noqa: F401 - a folder called datasets lacks it
    except ImportError as error:
        raise MissingExtraError("datasets", extra="datasets", purpose=f"reading {name}") from error


def _place(name: str) -> tuple[Path, str | None]:
    """Return the folder of a data set, and the config: the last part where the README.md above declares it."""
    path = Path(name.removeprefix(HUGGING_FACE)).expanduser()
    if not path.resolve().name or path.resolve() == Path.home():
        raise DataError(f"{name} is a whole home or disk; name the folder of the data set")
    configs: list[str] = []
    with suppress(DataError):  # the folder above may be anything
        configs = [str(config.get("config_name")) for config in _declared(path.parent, where=name)]
    if path.name in configs:
        return path.parent, path.name
    if path.is_file():
        raise DataError(f"{path} is a file; give it without {HUGGING_FACE}, or give its folder")
    if not path.is_dir():
        hint = did_you_mean(path.name, configs) if configs else nearest_file(path)
        there = f" (configs of {path.parent}: {', '.join(configs)})" if configs else ""
        raise DataError(f"{path} is no folder{there}{hint or '; give a folder in the layout of the datasets library'}")
    return path, None


def _read(folder: Path, config: str | None, *, where: str, cache: Path) -> dict[str, Any]:
    from datasets import load_from_disk

    with _one_sentence(where):
        if any((folder / name).is_file() for name in _SAVED):
            if config is not None:
                raise DataError(f"{where}: a folder of save_to_disk has no configs; leave /{config} out")
            states = [each for each in (folder / _SAVED[1], *folder.glob(f"*/{_SAVED[1]}")) if each.is_file()]
            empty = [each.resolve().parent.name for each in states if not read_json(each)["_data_files"]]
            _refuse_empty(empty, where=where)
            data: Any = load_from_disk(str(folder))
        else:
            data = _built(_builder(folder, config, where=where, cache=cache), where=where, in_memory=True)
        splits = data if isinstance(data, Mapping) else {"train": data}
        return {split: table.with_format(None) for split, table in splits.items()}


def _built(builder: Any, *, where: str, **options: bool) -> Any:
    builder.download_and_prepare()
    _refuse_empty([split for split, info in builder.info.splits.items() if not info.num_examples], where=where)
    return builder.as_dataset(**options)


def _refuse_empty(splits: Sequence[str], *, where: str) -> None:
    """Refuse splits without rows, of which the library would say only that an index is out of range."""
    if splits:
        raise DataError(f"{where}: no rows in {', '.join(sorted(splits))}; add rows, or leave the split out")


def _files(folder: Path, config: str | None, *, where: str) -> list[Path]:
    """Return the files that the library would read."""
    with TemporaryDirectory() as cache, _one_sentence(where):
        data_files = _builder(folder, config, where=where, cache=Path(cache)).config.data_files
        return [Path(file) for files in data_files.values() for file in files]


def _builder(folder: Path, config: str | None, *, where: str, cache: Path) -> Any:
    """Return the library's plan for a folder: which files, in which format, are which split.

    Raises:
        UsageError: there is no such config, or one has to be chosen.
        DataError: the folder names files outside it, holds a script, or no texts.
    """
    from datasets import DownloadConfig, get_dataset_config_names, load_dataset_builder

    for declared in _declared(folder, where=where):
        for outside in (value for key in _PLACES for value in _texts(declared.get(key)) if not _is_below(value)):
            raise DataError(
                f'{where}: README.md names the data file "{outside}", which is not in the folder; put the file there'
            )
    script = folder / f"{folder.resolve().name}.py"
    if script.is_file():
        raise DataError(
            f"{where} is a program ({script.name}), and albertkit runs no programs of data sets; load it with an older "
            "datasets library, save it with save_to_disk(DIR), and give hf:./DIR"
        )
    try:
        found = load_dataset_builder(
            str(folder),
            config,
            cache_dir=str(cache),
            download_config=DownloadConfig(cache_dir=str(cache), local_files_only=True, token=False),
        )
    except ValueError as error:
        names = get_dataset_config_names(str(folder))
        if config in names or (config is None and len(names) < 2):
            raise
        shown = ", ".join(names)
        if config is None:
            base, at, revision = where.partition("@")
            one = f"{base}/{names[0]}{at}{revision}"
            raise UsageError(f"{where} has {len(names)} configs ({shown}); choose one, such as {one}") from error
        raise UsageError(f'{where}: no config "{config}"{did_you_mean(config, names)} (configs: {shown})') from error
    if found.name not in _FORMATS:
        raise DataError(
            f"{where}: its files are for {found.name}; albertkit reads the texts of {', '.join(_FORMATS)} files"
        )
    return found


def _declared(folder: Path, *, where: str) -> list[Mapping[str, Any]]:
    """Return the configs that a folder declares in its README.md."""
    from huggingface_hub import DatasetCard  # a requirement of datasets

    if (folder / _UNREAD).is_file():
        raise DataError(f"{where}: configs in {_UNREAD} are not read; write them into README.md and remove that file")
    card = folder / "README.md"
    if not card.is_file():
        return []
    try:
        configs = DatasetCard.load(card).data.to_dict().get("configs")
    except Exception as error:  # of the hub's library or of its YAML parser
        raise DataError(f"{where}: {card.name} has metadata that cannot be read ({_first_line(error)})") from error
    return [each for each in configs or [] if isinstance(each, Mapping)] if isinstance(configs, list) else []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for key, each in value.items() if key != "split" for text in _texts(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in _texts(each))


def _is_below(name: str) -> bool:
    path = Path(name)
    return not (path.is_absolute() or name.startswith("~") or ".." in path.parts or "::" in name or "://" in name)


@contextmanager
def _one_sentence(where: str) -> Iterator[None]:
    """Keep the library's bars and lines off the terminal, and say in one sentence what it raises."""
    import datasets

    shown, level = not datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    except AlbertkitError:
        raise
    except Exception as error:  # of the library, of pandas, pyarrow or fsspec, or of the system
        causes = [error]
        while (cause := causes[-1].__cause__) is not None and isinstance(cause, Exception):
            causes.append(cause)
        if any(isinstance(each, OSError) and each.errno == errno.ENOSPC for each in causes):
            raise WriteError(
                f"{where}: the disk is full; make room, or set TMPDIR or ALBERTKIT_CACHE to a folder on another disk"
            ) from error
        raise DataError(f"{where} cannot be read by the datasets library: {_first_line(causes[-1])}") from error
    finally:
        datasets.logging.set_verbosity(level)
        if shown:
            datasets.enable_progress_bars()


def _first_line(error: BaseException) -> str:
    lines = [line.strip(" .") for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
