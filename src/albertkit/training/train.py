"""Train a model on examples in memory: what the command `finetune` and the scikit-learn estimators call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from albertkit.hardware.device import set_seed
from albertkit.inference.predictor import Predictor
from albertkit.models.loaded import Model
from albertkit.models.pretrained import with_exits, with_task_head
from albertkit.scoring.score import Score
from albertkit.tasks.classification import ClassificationTask
from albertkit.training.checks import training_execution
from albertkit.training.encoded_splits import encode_splits, question_notes, truncation_notes
from albertkit.training.epochs import EpochLoop, scored_outputs, scored_split
from albertkit.training.heads import task_of
from albertkit.training.resolved import Resolved
from albertkit.training.run import Run
from albertkit.training.shares import Shares
from albertkit.training.splits import Splits
from albertkit.training.tempering import validation_temperature

if TYPE_CHECKING:  # few runs have few rows or a teacher
    from albertkit.training.few_shot.train import FewShot
    from albertkit.training.lessons import Lessons
    from albertkit.training.task_teacher import TaskTeacher


@dataclass(frozen=True)
class Trained:
    """What a training gave."""

    predictor: Predictor
    """The model with the weights that were kept, calibrated where that could be done."""
    splits: Splits
    """With further notes, such as texts that were cut."""
    epochs: Sequence[Mapping[str, Mapping[str, float]]]
    """Scores of each epoch: `train`, and `validation` where rows are held out."""
    best_epoch: int
    """The one whose weights were kept, from 1."""
    chosen_by: str
    """Name of the split that chose them."""
    temperature: float | None
    """What the logits are divided by; None without calibration."""
    uncalibrated: str | None
    """Why the probabilities are not calibrated; None where they are, and where the task has none."""
    scored: Score | None
    """The score on the test split; None where it has no rows."""
    shares: Shares = field(default_factory=Shares)
    """Who computed the steps."""
    lessons: Lessons | None = None
    few_shot: FewShot | None = None


def train(
    model: Model, splits: Splits, resolved: Resolved, run: Run | None = None, *, teacher: TaskTeacher | None = None
) -> Trained:
    """Train a fresh head on a model, with its encoder or on the frozen one.

    Args:
        model: what to start from; its encoder is changed.
        splits: what trains, what chooses the epoch, and what gives the score; the last two may be without rows.
        resolved: every choice, from `resolve`.
        run: where it computes, writes and reports; default: on the settings' device, in memory and silently.
        teacher: whose answers are learned, too.

    Raises:
        DataError, UsageError: rows that cannot be trained on.
        RunError: the loss is not a finite number, or a stopped run cannot continue.
        WriteError: the system refused a file.
    """
    settings = resolved.settings
    run = run or Run(training_execution(settings, to="train"))
    set_seed(settings.seed)
    embedding = model.embedding
    model = _with_head(model, splits, resolved)
    run.note((*run.folder.notes, *model.notes, *splits.notes))
    predictor = Predictor(model, execution=run.execution)
    encoded = encode_splits(predictor, splits, resolved, run.progress)
    lessons = None
    if teacher is not None:
        from albertkit.training.lessons import Lessons

        lessons = Lessons.of(teacher, splits, run.progress)
    cut = truncation_notes(encoded, resolved)
    run.note(cut)
    splits = splits.noting(*cut, *question_notes(encoded, resolved))
    few_shot: FewShot | None = None
    loop: EpochLoop | None = None
    shares = run.shares
    if resolved.loop is None:
        from albertkit.training.few_shot.train import FewShotTraining

        training = FewShotTraining(predictor, encoded.train, resolved, run, embedding=embedding)
        few_shot = training.choose_and_train(scores_itself=encoded.test is encoded.train)
        predictor, epochs, best_epoch, scored = few_shot.predictor, few_shot.epochs, 1, few_shot.scored
        chosen_by, temperature, reason = few_shot.split, few_shot.temperature, few_shot.reason
        if scored is not None:
            splits = replace(splits, test=replace(splits.train, split=chosen_by, skipped=(), warnings=()))
    else:
        loop = EpochLoop(predictor, encoded, resolved, resolved.loop, run, lessons)
        state, shares = loop.train(), loop.training.shares
        epochs, best_epoch, chosen_by, scored = state.epochs, state.best_epoch, splits.validation.split, None
        temperature, reason = validation_temperature(predictor, encoded, loop.validation_outputs)
    model = predictor.model
    model.network.requires_grad_(True).eval()
    if temperature is not None and isinstance(model.task, ClassificationTask):
        predictor = Predictor(
            replace(model, task=replace(model.task, temperature=temperature)), execution=run.execution
        )
        run.progress.report(f"calibrated: temperature {temperature:.2f}, fitted on {chosen_by}")
    if scored is None and encoded.test is not None:
        if loop is not None and encoded.test is encoded.validation:
            outputs = loop.validation_outputs()
            scored = scored_outputs(task_of(predictor.model), predictor, encoded.test, outputs)
        else:
            scored = scored_split(predictor, encoded.test, run)
    return Trained(
        predictor,
        splits,
        epochs,
        best_epoch,
        chosen_by,
        temperature,
        reason,
        scored,
        shares,
        lessons=lessons,
        few_shot=few_shot,
    )


def _with_head(model: Model, splits: Splits, resolved: Resolved) -> Model:
    settings, train = resolved.settings, splits.train
    model = with_task_head(model, task=resolved.task.name, labels=train.labels, head=resolved.head, seed=settings.seed)
    if settings.exits:
        model = with_exits(model, seed=settings.seed)
    return replace(model, max_length=resolved.max_length, task=resolved.task.learned_from(train.examples))
