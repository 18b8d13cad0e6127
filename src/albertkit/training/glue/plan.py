"""Plan: which runs of which tasks, in which order, from which start; and which tasks cannot be run, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from albertkit.datasets import open_data
from albertkit.datasets.glue import TASKS
from albertkit.errors import DataError
from albertkit.evaluation.report import FILE_NAME as REPORT
from albertkit.evaluation.report import Report
from albertkit.training.glue.settings import GlueSettings
from albertkit.training.settings import FinetuneSettings

STARTED_FROM_NLI = ("rte", "mrpc", "stsb")
"""Tasks that the paper fine-tunes from the MNLI model, not the pretrained one, as Phang et al. (2018) do."""


@dataclass(frozen=True)
class PlannedRun:
    """One run: a task with a seed."""

    task: str
    """A key of `datasets.glue.TASKS`."""
    seed: int
    settings: FinetuneSettings
    start: Path | None = None
    """The run of this plan that it starts from."""

    @property
    def folder(self) -> Path:
        """The run directory."""
        return Path(self.settings.out)

    @property
    def title(self) -> str:
        """What a line of progress calls it."""
        return f"{TASKS[self.task].folder} seed {self.seed}"


@dataclass(frozen=True)
class Missing:
    """A task without a score."""

    task: str
    reason: str
    """A clause: why there is none."""

    @property
    def name(self) -> str:
        """The task as the benchmark spells it."""
        return TASKS[self.task].folder


@dataclass(frozen=True)
class Plan:
    """What will be done."""

    runs: tuple[PlannedRun, ...]
    """In the order they run: MNLI first where others start from it, then the order of the table, seed by seed."""
    missing: tuple[Missing, ...]
    """Tasks that were asked for and cannot be run."""


def make_plan(settings: GlueSettings) -> Plan:
    """Inspect the data and return the tasks that can be run.

    A task needs its training file and its whole dev file: no other file can replace one of them.

    Raises:
        DataError: the folder of the data is not there.
    """
    asked = settings.tasks or tuple(TASKS)
    missing: list[Missing] = []
    there: list[str] = []
    if not Path(settings.data_dir).expanduser().exists():
        raise DataError(f"{settings.data_dir} does not exist; give GLUE's folder or an archive of it with --data-dir")
    for task in TASKS:
        if task in asked:
            reason = _why_not(task, settings.data_dir)
            if reason is None:
                there.append(task)
            else:
                missing.append(Missing(task, reason))
    # MNLI first where others start from it; else the order of the table.
    there.sort(key=lambda task: task != "mnli")
    return Plan(
        tuple(_run(task, seed, settings, there) for task in there for seed in range(1, settings.seeds + 1)),
        tuple(missing),
    )


def done_before(settings: GlueSettings) -> list[PlannedRun]:
    """Return the finished runs of tasks that are not asked for this time, so that the table keeps them."""
    found = []
    for task in TASKS:
        if not settings.tasks or task in settings.tasks:
            continue
        for report in sorted((Path(settings.out) / TASKS[task].folder).glob(f"seed-*/{REPORT}")):
            run = _run(task, int(report.parent.name.removeprefix("seed-")), settings, ())
            started = Report.read(report.parent).model
            found.append(replace(run, settings=replace(run.settings, model=started), start=None))
    return found


def _why_not(task: str, data_dir: str) -> str | None:
    """Return why a task cannot be run with these data, or None."""
    spec = TASKS[task]
    try:
        splits: Sequence[str] = open_data(f"glue/{task}", data_dir=data_dir).splits
    except DataError:
        return f"no folder {spec.folder} with its files under {data_dir}"
    absent = [f"{spec.folder}/{spec.files[split]}" for split in ("train", "dev") if split not in splits]
    if not absent:
        return None
    others = ", ".join(spec.files[split] for split in splits)
    return f"no {' and no '.join(absent)} (there: {others})"


def _run(task: str, seed: int, settings: GlueSettings, there: Sequence[str]) -> PlannedRun:
    out = Path(settings.out)
    model, start = settings.model, None
    if task in STARTED_FROM_NLI:
        own = out / TASKS["mnli"].folder / "seed-1"  # one start for all seeds, whichever seeds of MNLI exist
        if settings.nli is not None:
            model = settings.nli
        elif "mnli" in there or (own / REPORT).is_file():
            model, start = str(own), own
    return PlannedRun(
        task,
        seed,
        FinetuneSettings(
            model=model,
            data=f"glue/{task}",
            out=str(out / TASKS[task].folder / f"seed-{seed}"),
            data_dir=settings.data_dir,
            test_split="dev",
            epochs=settings.epochs,
            steps=settings.steps,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            max_length=settings.max_length,
            limit=settings.limit,
            seed=seed,
            device=settings.device,
            precision=settings.precision,
            threads=settings.threads,
            baseline=False,
        ),
        start,
    )
