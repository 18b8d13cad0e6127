"""GlueSettings: everything that a run of GLUE was asked for; written to its `glue.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from albertkit.datasets.glue import TASKS
from albertkit.errors import RunError, UsageError, did_you_mean
from albertkit.io.files import read_json, remove_leftovers, write_json
from albertkit.io.locks import is_vacant

FILE_NAME = "glue.json"

# What may change when the command continues: more tasks, more seeds, another machine.
_FREE = frozenset({"out", "tasks", "seeds", "device", "threads"})


@dataclass(frozen=True)
class GlueSettings:
    """One run of the benchmark. None means: what the recipe of each task says."""

    model: str
    """Known name, model folder or run directory to start from."""
    data_dir: str
    """GLUE's folder, or an archive of it."""
    out: str
    """The folder to make; each run is in OUT/TASK/seed-N."""
    tasks: tuple[str, ...] = ()
    """Keys of `datasets.glue.TASKS`; empty for all."""
    seeds: int = 1
    """Runs of each task, with the seeds 1 to N."""
    nli: str | None = None
    """A model fine-tuned on natural language inference, to start RTE, MRPC and STS-B from."""
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    max_length: int | None = None
    limit: int | None = None
    """Train and score on the first N examples of each split; test splits are predicted whole."""
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        for task in self.tasks:
            if task not in TASKS:
                raise UsageError(
                    f'unknown GLUE task "{task}"{did_you_mean(task, TASKS)} (known: {", ".join(TASKS)}; the '
                    "diagnostics, AX, are predicted with mnli)"
                )
        if self.seeds < 1:
            raise UsageError(f"seeds is {self.seeds}; it must be 1 or more")

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "tasks": list(self.tasks)}


def begin(settings: GlueSettings, *, resume: bool) -> None:
    """Make the folder, or check that a run there may continue with these settings.

    Args:
        settings: settings of the run that starts or continues.
        resume: whether to continue; where nothing was begun, it starts.

    Raises:
        RunError: the folder is in use and `resume` is false, or it was begun with other settings.
        WriteError: the system refused.
    """
    out = Path(settings.out)
    kept = out / FILE_NAME
    if not is_vacant(out, first_file=FILE_NAME):
        hint = " or --resume to continue" if kept.is_file() else ""
        if not resume or not kept.is_file():
            raise RunError(f"{out} exists and is not empty; give another --out{hint}")
        _check(kept, settings.to_dict())
    remove_leftovers(out)
    write_json(kept, settings.to_dict())


def _check(path: Path, values: Mapping[str, Any]) -> None:
    try:
        before = dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path}: cannot be read ({error}); give another --out") from error
    changed = [
        f"{key} was {before.get(key)!r} and is {value!r}"
        for key, value in values.items()
        if key not in _FREE and before.get(key) != value
    ]
    if changed:
        raise RunError(f"{path.parent}: GLUE continues with the settings it started with; {'; '.join(changed)}")
