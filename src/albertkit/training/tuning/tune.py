"""Tune: Optuna proposes settings, `finetune` trains them, and the validation split decides."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from albertkit.errors import MissingExtraError, RunError, UsageError
from albertkit.evaluation.report import Report
from albertkit.io.files import WriteError, write_json
from albertkit.io.progress import Advance, Progress, Silent
from albertkit.training.checks import training_execution
from albertkit.training.finetune import finetune
from albertkit.training.repeating import repeating_command
from albertkit.training.settings import FinetuneSettings
from albertkit.training.tuning.plot import plot_search
from albertkit.training.tuning.report import TrialRecord, TuneReport, ranked
from albertkit.training.tuning.space import Search, Space, complete_space

STORE, REPORT, PLOT = "study.db", "tune.json", "search.png"
_BEAT, _GRACE = 30, 120  # seconds between signs of life of a trial, and until one without them counts as failed
_OWN = frozenset({"out", "device", "threads", "save_seconds", "track", "plots", "baseline"})
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "running"}


@dataclass(frozen=True)
class TuneSettings:
    """One search."""

    base: FinetuneSettings
    """What all trials share; its `out` is the folder of the search."""
    space: Space
    trials: int = 20
    """Of the whole search, those of other processes and earlier calls included."""
    prune: bool = True
    """Stop trials early that are worse than the median of the others at the same epoch."""

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise UsageError(f"trials is {self.trials}; it must be 1 or more")


def tune(settings: TuneSettings, *, progress: Progress | None = None) -> TuneReport:
    """Search until the study has its trials; call it again to continue, or at the same time to share the work.

    Each trial is a run directory of `finetune`. Only the best one keeps its model. The scored split chooses nothing.

    Args:
        settings: what to search.
        progress: gets the progress reports; silent by default.

    Raises:
        MissingExtraError: optuna is not installed.
        UsageError, DataError, CheckpointError: the settings, the data or the model cannot be used.
        RunError: the folder holds a search of other settings, or no trial was completed.
        WriteError: the system refused a file.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("optuna", extra="tune", purpose="tune") from error
    started, progress = time.perf_counter(), progress or Silent()
    training_execution(settings.base, to="train")  # refuses a precision before any file is looked at
    search = complete_space(settings.base, settings.space)
    folder = Path(settings.base.out)
    study = _study(optuna, folder, settings, search)
    with progress.bar("trials", total=settings.trials) as advance:
        seen = 0
        while True:
            done = _taken(study)
            advance(min(done, settings.trials) - seen, info=_best(study, search.metric))
            seen = min(done, settings.trials)
            if done >= settings.trials:
                break
            _one_trial(optuna, study, search, folder, settings, advance)
    report = _report(optuna, study, search, folder, seconds=time.perf_counter() - started)
    write_json(folder / REPORT, report.to_dict())
    return report


def _study(optuna: Any, folder: Path, settings: TuneSettings, search: Search) -> Any:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: cannot be made ({error.strerror or error}); give another --out") from error
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # heartbeats are called experimental
            storage = optuna.storages.RDBStorage(
                f"sqlite:///{folder / STORE}",
                engine_kwargs={"connect_args": {"timeout": 60}},
                heartbeat_interval=_BEAT,
                grace_period=_GRACE,
            )
            study = optuna.create_study(
                study_name="albertkit",
                storage=storage,
                direction="maximize",
                load_if_exists=True,
                pruner=pruner if settings.prune else optuna.pruners.NopPruner(),
            )
            optuna.storages.fail_stale_trials(study)  # of processes that were killed
    except Exception as error:  # of Optuna, SQLAlchemy or SQLite
        said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise WriteError(f"{folder / STORE}: cannot be used ({said[:200]}); give another --out") from error
    asked = {name: value for name, value in settings.base.to_dict().items() if name not in _OWN}
    asked = json.loads(json.dumps({**asked, "space": settings.space.to_dict()}))
    before = study.user_attrs.get("settings")
    if before is None:
        study.set_user_attr("settings", asked)
        study.enqueue_trial(search.first())
    elif before != asked:
        changed = "; ".join(
            f"{name} was {before.get(name)!r} and is {value!r}"
            for name, value in asked.items()
            if before.get(name) != value
        )
        raise RunError(f"{folder}: a search continues with the settings it started with; {changed}")
    # Other random numbers after each start, or two processes would try the same settings.
    study.sampler = optuna.samplers.TPESampler(seed=settings.base.seed + len(study.get_trials(deepcopy=False)))
    return study


def _taken(study: Any) -> int:
    """Return how many trials ended or run; those that failed do not count."""
    return sum(trial.state.name in ("COMPLETE", "PRUNED", "RUNNING") for trial in study.get_trials(deepcopy=False))


def _best(study: Any, metric: str) -> str:
    values = [trial.value for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    return f"best {metric} {max(values):.2f}" if values else ""


def _one_trial(optuna: Any, study: Any, search: Search, folder: Path, settings: TuneSettings, advance: Advance) -> None:
    best = _best(study, search.metric)

    def objective(trial: Any) -> float:
        chosen = search.suggested(trial)
        run = folder / f"trial-{trial.number:03d}"
        trial.set_user_attr("settings", chosen)

        def watch(event: Mapping[str, Any]) -> None:
            if event["event"] != "epoch" or "validation" not in event:
                return
            value, epoch = event["validation"][search.metric], event["epoch"]
            advance(0, info=f"trial {trial.number}, epoch {epoch}: {search.metric} {value:.2f}; {best}".rstrip("; "))
            trial.report(value, epoch)
            if settings.prune and trial.should_prune():
                raise optuna.TrialPruned

        try:
            report = finetune(replace(search.settings(chosen, out=str(run)), baseline=False, plots=False), watch=watch)
        except RunError as error:  # a learning rate that is too high
            trial.set_user_attr("error", str(error))
            raise optuna.TrialPruned from error
        trial.set_user_attr("epochs", len(report.epochs))
        assert report.best_epoch is not None
        return float(report.epochs[report.best_epoch - 1]["validation"][search.metric] or 0.0)

    study.optimize(objective, n_trials=1)
    _keep_only_best(study, folder)


def _keep_only_best(study: Any, folder: Path) -> None:
    """Remove the models and checkpoints of the trials that ended, but for the best: each is as large as the model."""
    ended = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in ("COMPLETE", "PRUNED", "FAIL")]
    complete = [trial for trial in ended if trial.state.name == "COMPLETE"]
    best = max(complete, key=lambda trial: (trial.value, -trial.number), default=None)
    for trial in ended:
        run = folder / f"trial-{trial.number:03d}"
        shutil.rmtree(run / "checkpoints", ignore_errors=True)
        if trial is not best:
            shutil.rmtree(run / "model", ignore_errors=True)


def _record(trial: Any) -> TrialRecord:
    values = trial.intermediate_values
    value = trial.value if trial.state.name == "COMPLETE" else values[max(values)] if values else None
    return TrialRecord(
        number=trial.number,
        settings=trial.user_attrs.get("settings", {}),
        value=None if value is None else round(value, 4),
        state=_STATES[trial.state.name],
        epochs=trial.user_attrs.get("epochs", max(values, default=None)),
        seconds=None if trial.duration is None else round(trial.duration.total_seconds(), 1),
    )


def _report(optuna: Any, study: Any, search: Search, folder: Path, *, seconds: float) -> TuneReport:
    records = [_record(trial) for trial in study.get_trials(deepcopy=False)]
    first = ranked(records)[0]
    if first.state != "complete":
        raise RunError(f"{folder}: no trial was completed; give a lower --learning-rate range, or look at {STORE}")
    run = folder / f"trial-{first.number:03d}"
    scored = Report.read(run)
    importance = _importance(optuna, study, search)
    title = f"{len(records)} trials: {Path(search.base.model).name} on {Path(str(search.base.data)).name}"
    plot = plot_search(
        records, search.searched, path=folder / PLOT, metric=search.metric, importance=importance, title=title
    )
    return TuneReport(
        best={
            "number": first.number,
            "settings": dict(first.settings),
            "value": first.value,
            "model": str(run / "model"),
            "scores": dict(scored.metrics),
        },
        trials=records,
        metric=search.metric,
        split="" if scored.chosen_by is None else scored.chosen_by.split,
        scored_split=scored.split,
        searched=search.searched,
        importance=importance,
        command=repeating_command(
            "finetune", search.settings(dict(first.settings), out=str(folder / "best")), suffix=""
        ),
        plot=str(plot),
        seconds=round(seconds, 1),
    )


def _importance(optuna: Any, study: Any, search: Search) -> dict[str, float]:
    """Return each searched setting's share of the differences between complete trials; empty where too few are."""
    if sum(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False)) < 4:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=search.base.seed)
    try:
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(search.searched))
    except (ValueError, RuntimeError):  # every trial has the same score
        return {}
    return {name: round(share, 4) for name, share in found.items()}
