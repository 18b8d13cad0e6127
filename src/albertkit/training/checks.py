"""Check that task, head, length and settings fit together, before any file is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from albertkit.datasets.dataset import Dataset
from albertkit.errors import UsageError
from albertkit.hardware.device import Execution, choose_execution
from albertkit.models.loaded import Model, head_on
from albertkit.tasks import TASKS
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.objective import objective_of
from albertkit.tasks.similarity import SimilarityTask
from albertkit.tasks.task import Task
from albertkit.training.settings import FinetuneSettings
from albertkit.training.shared_settings import SharedSettings


def check_together(settings: FinetuneSettings, *, world: int) -> None:
    """Refuse what several processes cannot train together.

    Raises:
        UsageError: only a head is trained, which takes one process seconds.
    """
    if world > 1 and (settings.few_shot or settings.freeze_encoder):
        option = "--few-shot" if settings.few_shot else "--freeze-encoder"
        raise UsageError(
            f"{option} trains a head on features, which takes seconds, but torchrun started {world} processes; start "
            "albertkit finetune without torchrun, or train the encoder, too"
        )


def training_execution(settings: SharedSettings, *, to: str, refused: tuple[str, ...] = ()) -> Execution:
    """Choose device, precision and threads of a training.

    Args:
        settings: settings of the training.
        to: verb of the training, for messages.
        refused: precisions that it cannot be done in, besides those that are for predictions only.

    Raises:
        UsageError: there is no such device, or the precision is for predictions only.
    """
    execution = choose_execution(device=settings.device, precision=settings.precision, threads=settings.threads)
    if execution.predicts_only or execution.precision in refused:
        raise UsageError(f"{execution.precision} works only for prediction; {to} with --precision auto")
    return execution


def task_for(train: Dataset) -> str:
    """Return the name of the task for a data set: questions without an answer need a head that can say so."""
    suited: Task = TASKS[train.task].suited_to(train.examples)
    return suited.name


def check_head(task: str, settings: FinetuneSettings, train: Dataset) -> None:
    """Refuse settings that the task's head cannot follow.

    Raises:
        UsageError: a frozen encoder under a head on tokens or without weights, a pooling where nothing is pooled, or
            one of two texts where each row has one.
    """
    reads_tokens = objective_of(TASKS[task]).reads == "tokens"
    if settings.freeze_encoder and (reads_tokens or TASKS[task].trains_vectors):
        why = "a head that reads whole texts" if reads_tokens else "a head that learns"
        raise UsageError(f"--freeze-encoder needs {why}; leave it out for {task}")
    if settings.pooling not in (None, "pooler") and reads_tokens:
        raise UsageError(f"--pooling needs a head that reads whole texts; leave it out for {task}")
    if settings.pooling == "pair" and not train.is_pair and train.task != "multiple_choice":
        raise UsageError(
            f"--pooling pair needs two texts per row, but {train.name} has one; name its --pair-column, or leave it out"
        )


def with_dimensions(task: Task, dimensions: Sequence[int], *, head: HeadSpec, base: Model) -> Task:
    """Return the task that also trains vectors which are cut to these sizes.

    Args:
        task: what is trained.
        dimensions: the sizes; the whole size may be among them, since it is trained in any case.
        head: what the vectors are.
        base: the model to start from.

    Raises:
        UsageError: the task trains no vectors, or they do not have so many dimensions.
    """
    if not isinstance(task, SimilarityTask):
        raise UsageError(f"--dimensions is for --task similarity, which trains vectors; leave it out for {task.name}")
    dense = head_on(head, task=task, embedding=base.embedding).dense
    whole = base.config.hidden_size if dense is None else dense.out_features
    wrong = [size for size in dimensions if not 0 < size <= whole]
    if wrong:
        raise UsageError(
            f"--dimensions names {wrong[0]}, but the vectors of {base.source} have {whole}; give sizes from 1 to "
            f"{whole}"
        )
    return replace(task, dimensions=tuple(sorted(set(dimensions) - {whole})) or None)


def check_length(settings: FinetuneSettings, base: Model) -> None:
    """Refuse inputs longer than the model's positions.

    Raises:
        UsageError: so they are.
    """
    longest = base.config.max_position_embeddings
    if settings.max_length is not None and settings.max_length > longest:
        raise UsageError(
            f"--max-length is {settings.max_length}, but {settings.model} has {longest} positions; give {longest} or "
            "less, or --long windows"
        )
