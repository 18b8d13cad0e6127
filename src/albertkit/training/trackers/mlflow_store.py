"""MLflow: one run in the store of MLFLOW_TRACKING_URI, a server or a database."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from albertkit.errors import MissingExtraError
from albertkit.training.trackers import Open, TrackedRun

EXPERIMENT = "albertkit"
"""Where MLFLOW_EXPERIMENT_NAME names no other."""

_WAIT = 5.0  # seconds from one write to the next: each is a transaction
_MOST = 900  # MLflow takes 1,000 numbers at once
_REFUSED = re.compile(r"[^\w\-./ :]")  # characters that MLflow forbids in names


def mlflow_tracker() -> Open:
    """Import MLflow.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # else a line per new table
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # its own 7 make a training wait for minutes
    try:
        from mlflow import MlflowClient, get_tracking_uri
    except ImportError as error:
        raise MissingExtraError("mlflow", extra="mlflow", purpose="--track mlflow") from error

    def opened(run: TrackedRun) -> StoredRun:
        address = get_tracking_uri()
        _check_database(address)
        return StoredRun(MlflowClient(address), run, address=address)

    return opened


def _check_database(address: str) -> None:
    """Fail at once where SQLite could not write: MLflow would try again for minutes.

    Raises:
        OSError: the file cannot be opened for writing.
    """
    scheme, slashes, path = address.partition(":///")
    if scheme.startswith("sqlite") and slashes and path:
        with open(path, "ab"):
            pass


class StoredRun:
    """One run of MLflow.

    Args:
        client: of the store.
        run: what to open, or to continue.
        address: of the store.
    """

    def __init__(self, client: Any, run: TrackedRun, *, address: str) -> None:
        self._client = client
        self._waiting: list[Any] = []
        self._written = time.monotonic()
        self._step = run.step
        self.key: str | None = run.key if run.key is not None and self._reopened(run.key) else None
        if self.key is None:
            self.key = self._new(run)
        self.place = f"{without_password(address)}, run {run.folder.name} ({self.key})"

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Keep the numbers of one event, and write them with the next ones."""
        from mlflow.entities import Metric

        self._step, now = step, int(time.time() * 1000)
        self._waiting += [Metric(_REFUSED.sub("_", name), value, now, step) for name, value in values.items()]
        if len(self._waiting) >= _MOST or time.monotonic() - self._written >= _WAIT:
            self._write()

    def finish(self, values: Mapping[str, float], files: Sequence[Path]) -> None:
        """Write the numbers and the files of the report."""
        self.log(values, step=self._step)
        self._write()
        for file in files:
            self._client.log_artifact(self.key, str(file))

    def close(self, *, failed: bool) -> None:
        """Write what is left, and say how the run ended."""
        self._write()
        self._client.set_terminated(self.key, "FAILED" if failed else "FINISHED")

    def _write(self) -> None:
        while self._waiting:
            self._client.log_batch(self.key, metrics=self._waiting[:_MOST])
            del self._waiting[:_MOST]
        self._written = time.monotonic()

    def _reopened(self, key: str) -> bool:
        """Let a stopped run go on; return False where the store does not know it."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.update_run(key, status="RUNNING")
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return False
            raise
        return True

    def _new(self, run: TrackedRun) -> str:
        from mlflow.entities import Param

        created = self._client.create_run(self._experiment(), run_name=run.folder.name)
        given = {name: value for name, value in run.settings.items() if value not in (None, [], ())}
        params = [Param(name, str(value)[:6000]) for name, value in given.items()]
        self._client.log_batch(created.info.run_id, params=params[:100])
        return str(created.info.run_id)

    def _experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:  # another process was quicker
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)


def without_password(address: str) -> str:
    """Return an address as it may be shown.

    >>> without_password("postgresql://me:secret@host/db")
    'postgresql://host/db'
    """
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return address.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1)
