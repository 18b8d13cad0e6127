"""The data that a run was trained on: its settings, and other data read by the same columns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from albertkit.datasets import DATASETS, open_data
from albertkit.datasets.dataset import STRUCTURED_METRICS, DataSource
from albertkit.errors import DataError, UsageError
from albertkit.hub.hub_names import HUGGING_FACE
from albertkit.io.files import read_json
from albertkit.models.trained_columns import CONFIG, trained_columns
from albertkit.training.settings import FinetuneSettings

INPUTS = "inputs"  # a key in the config.json of a run directory, see `run.RunFolder`


def run_settings(run: str | os.PathLike[str]) -> FinetuneSettings:
    """Return what a run of `finetune` was asked for.

    Raises:
        UsageError: it is no run directory.
    """
    try:
        return FinetuneSettings.from_dict(dict(read_json(Path(run) / CONFIG)))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{run} is not a run directory of finetune ({CONFIG} cannot be read)") from error


def recorded_inputs(run: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the digests of what a run read, as `digest.finetune_inputs` made them; none where none are recorded."""
    try:
        found = read_json(Path(run) / CONFIG).get(INPUTS)
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def is_trained_on(settings: FinetuneSettings, source: DataSource) -> bool:
    """Return whether a run was trained on this data set; data on the hub may be of another commit."""
    before, now = settings.data, source.name
    if before.startswith(HUGGING_FACE):
        return before.partition("@")[0] == now.partition("@")[0]
    return Path(before).resolve() == Path(now).resolve()


def open_for_run(
    run: str | os.PathLike[str],
    data: str,
    *,
    task: str | None,
    labels: tuple[str, ...],
    columns: dict[str, str | None],
    given_labels: tuple[str, ...] | None = None,
    **options: Any,
) -> DataSource:
    """Open data to score a model on; a table is read by the columns of its training where no others are given.

    Args:
        run: a run directory, or any other model.
        data: as `open_data`.
        task: the kind of data that the model is for; None of a model without a head.
        labels: names of the model's classes.
        columns: those of `trained_columns.COLUMNS` that the user gave.
        given_labels: names of the table's classes in their order, where the user gave them.
        options: the others of `open_data`.

    Raises:
        UsageError: see `open_data`.
        DataError: see `open_data`; a column of the training that is not there is named as one.
    """
    own = data not in DATASETS and task is not None
    chosen = {use: name for use, name in columns.items() if name is not None}
    before = trained_columns(run) if own and task not in STRUCTURED_METRICS else {}
    before = {use: name for use, name in before.items() if use not in chosen}
    names = given_labels or (labels if own else ())
    every: dict[str, Any] = {**options, **before, **chosen}
    try:
        return open_data(data, task=task if own else None, labels=names or None, **every)
    except DataError:
        from albertkit.data.columns import named

        there = _columns(data, options.get("encoding")) if before else None
        if there is None:
            raise
        for use, name in before.items():
            if name not in there:
                option = f"--{use.replace('_', '-')}"
                raise DataError(
                    f'{data}: no column "{name}", which {run} was trained on ({option}; there are: {named(there)}); '
                    f"give {option}"
                ) from None
        raise


def _columns(data: str, encoding: str | None) -> tuple[str, ...] | None:
    from albertkit.datasets.table_files import is_table, open_table

    return open_table(Path(data), encoding=encoding).columns if is_table(Path(data)) else None
