"""Run the benchmark: the planned runs that are not finished, the table, the zip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from albertkit.datasets import open_data
from albertkit.datasets.dataset import Dataset
from albertkit.datasets.glue import TASKS
from albertkit.errors import CheckpointError, DataError, RunError
from albertkit.evaluation.evaluate import evaluate
from albertkit.evaluation.report import FILE_NAME as REPORT
from albertkit.hardware.device import Execution, choose_execution
from albertkit.inference.predictor import Predictor
from albertkit.io.files import remove_leftovers
from albertkit.io.locks import locked
from albertkit.io.progress import Progress, Silent, Warnings, counted
from albertkit.models.pretrained import load_model
from albertkit.training.finetune import finetune
from albertkit.training.glue.plan import Missing, PlannedRun, done_before, make_plan
from albertkit.training.glue.predictions import predicted_words, write_predictions
from albertkit.training.glue.results import MISMATCHED_FOLDER, FinishedRun, by_task, read_finished
from albertkit.training.glue.settings import GlueSettings, begin
from albertkit.training.glue.submission import write_submission
from albertkit.training.glue.table import GlueTable


def run_glue(settings: GlueSettings, *, resume: bool = False, progress: Progress | None = None) -> GlueTable:
    """Fine-tune on every task whose data exist; write the table and the zip for the server.

    A run that cannot finish (its loss diverged, its data are broken) is reported and named in the table, and the
    others continue.

    Args:
        settings: what to do; open choices come from each task's recipe.
        resume: continue a stopped benchmark: finished runs stay, an unfinished run continues from its checkpoint.
        progress: gets the progress reports; silent by default.

    Raises:
        UsageError, DataError, CheckpointError: the settings, the data's folder or a model cannot be used.
        RunError: the folder is in use, was begun with other settings, or no task can be run.
        WriteError: the system refused a file.
    """
    with locked(settings.out):
        return _run_all(settings, resume=resume, progress=progress or Silent())


def _run_all(settings: GlueSettings, *, resume: bool, progress: Progress) -> GlueTable:
    execution = choose_execution(device=settings.device, precision=settings.precision, threads=settings.threads)
    plan = make_plan(settings)
    if not plan.runs:
        reasons = "; ".join(f"{entry.name}: {entry.reason}" for entry in plan.missing)
        raise DataError(f"{settings.data_dir}: no task of GLUE can be run ({reasons})")
    for name in {settings.model, settings.nli} - {None}:
        load_model(str(name))  # report a wrong name now, not after hours
    begin(settings, resume=resume)
    for entry in plan.missing:
        progress.report(f"{entry.name} is skipped: {entry.reason}")
    finished: list[FinishedRun] = []
    failed: list[str] = []
    for number, run in enumerate(plan.runs, start=1):
        place = f"[{number}/{len(plan.runs)}] {run.title}"
        try:
            finished.append(_run(run, place, execution, progress))
        except (DataError, RunError, CheckpointError) as error:
            failed.append(f"{run.title}: {error}")
            progress.report(f"{place}: failed: {error}")
    finished += [read_finished(run) for run in done_before(settings)]
    results = by_task(finished)
    scored = {result.task for result in results}
    lost = dict.fromkeys(run.task for run in plan.runs if run.task not in scored)
    missing = (*plan.missing, *(Missing(task, "its runs failed") for task in lost))
    table = GlueTable(
        settings.model,
        results,
        tuple(sorted(missing, key=lambda entry: list(TASKS).index(entry.task))),
        write_submission(
            Path(settings.out), results, data_dir=settings.data_dir, execution=execution, progress=Warnings(progress)
        ),
        tuple(failed),
        tuple(_notes(settings, finished)),
    )
    table.write(Path(settings.out))
    return table


def _run(run: PlannedRun, place: str, execution: Execution, progress: Progress) -> FinishedRun:
    if run.start is not None and not (run.start / REPORT).is_file():
        raise RunError(f"it starts from {run.start}, and that run failed")
    before = (run.folder / REPORT).is_file()
    if not before:
        start = "" if run.start is None else f", from {run.start}"
        progress.report(f"{place}: training{start}")
        verdict = finetune(run.settings, resume=True, progress=Warnings(progress)).verdict
        if verdict is not None and verdict.outcome != "better":
            progress.report(f"{place}: {verdict.sentence}", kind="warning")
    finished = read_finished(run)
    if _predict_dev(finished, execution, progress):
        finished = read_finished(run)  # with MNLI's second number
    scores = ", ".join(f"{name} {value:.2f}" for name, value in finished.metrics.items())
    progress.report(f"{place}: {scores} ({'done before' if before else f'{finished.report.seconds or 0:.0f} s'})")
    return finished


def _predict_dev(finished: FinishedRun, execution: Execution, progress: Progress) -> bool:
    """Write a run's predictions for dev, so that any tool can score them; MNLI's second dev split is scored, too.

    Returns:
        Whether a score was added.
    """
    run = finished.run
    source = open_data(run.settings.data, data_dir=run.settings.data_dir)
    splits = [split for split in ("dev", "dev_mismatched") if split in source.splits]
    todo = [split for split in splits if not (run.folder / f"{split}.tsv").is_file()]
    if not todo:
        return False
    predictor = Predictor.load(run.folder, execution=execution)
    scored = False
    remove_leftovers(run.folder)
    for split in todo:
        dataset: Dataset = source.split(split).take(run.settings.limit)
        if split == MISMATCHED_FOLDER:
            evaluate(predictor, dataset).write(run.folder / MISMATCHED_FOLDER)
            scored = True
        with progress.bar(f"predicting {run.title}, {split}", total=len(dataset)) as advance:
            words = predicted_words(predictor, dataset, progress=counted(advance))
        write_predictions(run.folder / f"{split}.tsv", dataset, words)  # last: its presence says that it is done
    return scored


def _notes(settings: GlueSettings, finished: list[FinishedRun]) -> Iterator[str]:
    if finished:
        yield "Each run's best epoch was selected on dev, which is also the scored split, as in the published rows"
    started = sorted(
        {f"{run.run.task} from {run.run.settings.model}" for run in finished if _is_from_nli(run, settings)}
    )
    if started:
        yield f"Started from a model of natural language inference: {', '.join(started)}"
    if settings.limit is not None:
        yield f"Only the first {settings.limit} examples of each split trained and scored"


def _is_from_nli(run: FinishedRun, settings: GlueSettings) -> bool:
    return run.run.settings.model != settings.model
