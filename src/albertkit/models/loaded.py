"""Model: a network with what is needed to use it on text, and what `task.json` says of it. Without torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from albertkit.checkpoints.dense import Dense
from albertkit.checkpoints.label_names import label_names
from albertkit.config import HEAD_POOLINGS, POOLINGS, AlbertConfig
from albertkit.errors import CheckpointError, UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.head_spec import HeadSpec
from albertkit.tasks.pooling import check_pooling
from albertkit.tasks.saved import saved_settings, with_saved_settings
from albertkit.tasks.task import Task
from albertkit.text.any_tokenizer import AnyTokenizer

if TYPE_CHECKING:
    from albertkit.tasks.network import Network


class FreshWeightsWarning(UserWarning):
    """Some weights were not read from anywhere: they are random and want training."""


_HEAD_KEYS = {"name", "hidden", "norm", "pooling"}  # of the mapping `head` in task.json


@dataclass(frozen=True)
class EmbeddingSpec:
    """What the vector of a text is, for a model whose files say it, as those of sentence-transformers do.

    Raises:
        UsageError: an unknown pooling.
    """

    pooling: str = "mean"
    """`mean`, `cls` or `pooler`, as `albertkit.tasks.pooling` says."""
    normalize: bool = False
    """Whether vectors are scaled to length 1."""
    dense: Dense | None = None
    """A map of the pooled vectors, before they are scaled."""

    def __post_init__(self) -> None:
        check_pooling(self.pooling)

    def dense_after(self, pooling: str) -> Dense | None:
        """Return the map of vectors that were pooled so: it was made for those of the declared pooling only."""
        return self.dense if pooling == self.pooling else None


@dataclass(frozen=True)
class ExportedNetwork:
    """The shape of a network whose weights are in an exported file, which a runtime reads."""

    config: AlbertConfig
    runtime: str
    """`onnx` or `openvino`."""
    folder: str
    """Where it was loaded from."""


@dataclass
class Model:
    """A network with what is needed to use it on text."""

    network_or_export: Network | ExportedNetwork
    tokenizer: AnyTokenizer
    task: Task | None = None
    """What its task head does; None for a bare or pretrained encoder."""
    labels: tuple[str, ...] = ()
    """Names of the task head's outputs."""
    head: HeadSpec = field(default_factory=HeadSpec)
    max_length: int = 512
    """Longest input in tokens that it was trained on; never more than it has positions."""
    source: str = ""
    """Name or path that it was loaded from."""
    notes: tuple[str, ...] = ()
    """Messages of the loader: fresh weights, skipped files."""
    embedding: EmbeddingSpec | None = None
    """What `embed` computes by default; None where no file says it."""

    def __post_init__(self) -> None:
        self.max_length = min(self.max_length, self.config.max_position_embeddings)

    @property
    def config(self) -> AlbertConfig:
        """Shape and constants of the network."""
        return self.network_or_export.config

    @property
    def vectors(self) -> EmbeddingSpec:
        """What `embed` computes when it is not told: what the model's files declare, as those of sentence-transformers
        do, or the pooling that a model of similarity was trained with, else means."""
        if self.embedding is not None:
            return self.embedding
        trained = self.task is not None and self.task.trains_vectors
        return EmbeddingSpec(self.head.pooling if trained else "mean")

    @property
    def network(self) -> Network:
        """The network, which predicts, trains and exports.

        Raises:
            UsageError: the model is an exported one.
        """
        if isinstance(self.network_or_export, ExportedNetwork):
            raise UsageError(
                f"{self.network_or_export.folder} is an exported model, which can only predict, embed and "
                "evaluate; give the model it was exported from"
            )
        return self.network_or_export


def announce(notes: Sequence[str]) -> None:
    """Issue one warning per note."""
    for note in notes:
        warnings.warn(note, FreshWeightsWarning, stacklevel=3)


def task_values(model: Model) -> dict[str, Any] | None:
    """Return what `task.json` keeps of a model; None where there is nothing to keep."""
    values: dict[str, Any] = {}
    if model.task is not None:
        head = {"hidden": list(model.head.hidden), "norm": model.head.norm, "pooling": model.head.pooling}
        values = {
            "task": model.task.name,
            "labels": list(model.labels),
            "head": {"name": model.task.head, **head},
            **saved_settings(model.task),
        }
    if model.embedding is not None:
        values["embedding"] = {"pooling": model.embedding.pooling, "normalize": model.embedding.normalize}
        if model.embedding.dense is not None:  # its numbers are in a file of their own
            values["embedding"]["dense"] = True
    return {**values, "max_length": model.max_length} if values else None


@dataclass(frozen=True)
class TaskFile:
    """What a `task.json` says."""

    task: Task | None
    """None for an encoder whose file only says how long its inputs are or what its vectors are."""
    head: HeadSpec
    labels: tuple[str, ...]
    max_length: int
    embedding: EmbeddingSpec | None


def read_task_values(values: Mapping[str, Any], *, positions: int, where: str, dense: Dense | None = None) -> TaskFile:
    """Return what the content of a `task.json` says; every value is checked.

    Args:
        values: the content.
        positions: of the network; a longer `max_length` is cut to it.
        where: the model, for messages.
        dense: the map that the model's other files hold.

    Raises:
        CheckpointError: a task, pooling or setting that is not known here, a value of another kind, or a map that only
            one of the files knows of.
    """
    labels = values.get("labels", [])
    if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        raise CheckpointError(f"{where}: task.json: labels is {labels!r:.60}, not a list of names")
    names = label_names(labels, where=f"{where}: task.json: labels")
    max_length = values.get("max_length", positions)
    if type(max_length) is not int or max_length < 3:  # [CLS], a piece, [SEP]
        raise CheckpointError(
            f"{where}: task.json: max_length is {max_length!r:.40}, not a number of tokens of 3 or more"
        )
    if "task" not in values and not {"head", "labels"}.isdisjoint(values):
        raise CheckpointError(f'{where}: task.json has a head or labels and no "task"; restore the file')
    task, head = (None, HeadSpec()) if "task" not in values else _task_from(values, where=where)
    embedding = _embedding_from(values, dense=dense, where=where)
    if task is not None:
        head = head_on(head, task=task, embedding=embedding)
    return TaskFile(task, head, names, min(max_length, positions), embedding)


def head_on(head: HeadSpec, *, task: Task, embedding: EmbeddingSpec | None) -> HeadSpec:
    """Return the head with the map of the model's vectors, if it is one that compares these vectors."""
    if not task.trains_vectors or embedding is None:
        return head
    return replace(head, dense=embedding.dense_after(head.pooling))


def _task_from(values: Mapping[str, Any], *, where: str) -> tuple[Task, HeadSpec]:
    name, head = values["task"], values.get("head", {})
    if not isinstance(name, str) or name not in TASKS:
        raise CheckpointError(
            f'{where}: task.json names the task "{name!s:.60}", which is not known here '
            f"({', '.join(sorted(TASKS))}); install the package that has it"
        )
    if isinstance(head, dict) and (unknown := sorted(set(head) - _HEAD_KEYS)):
        raise CheckpointError(
            f'{where}: task.json: the head has the key "{unknown[0]:.60}", which is not known here '
            f"({', '.join(sorted(_HEAD_KEYS))}); correct the file"
        )
    hidden = head.get("hidden", []) if isinstance(head, dict) else None
    norm, pooling = (head.get("norm", "none"), head.get("pooling", "pooler")) if isinstance(head, dict) else (0, 0)
    if not isinstance(hidden, list) or not isinstance(norm, str) or not isinstance(pooling, str):
        raise CheckpointError(f"{where}: task.json: head is {head!r:.60}, not a mapping with hidden, norm and pooling")
    if pooling not in HEAD_POOLINGS:
        raise CheckpointError(
            f'{where}: task.json names the pooling "{pooling:.60}", which is not known here '
            f"({', '.join(HEAD_POOLINGS)}); pip install --upgrade albertkit, or correct the file"
        )
    try:
        return with_saved_settings(TASKS[name], values), HeadSpec(tuple(hidden), norm, pooling)
    except UsageError as error:
        raise CheckpointError(f"{where}: task.json: {error}") from error


def _embedding_from(values: Mapping[str, Any], *, dense: Dense | None, where: str) -> EmbeddingSpec | None:
    found = values.get("embedding")
    if found is None and dense is None:
        return None
    said = found if isinstance(found, dict) else {}
    pooling, normalize, has_dense = said.get("pooling"), said.get("normalize"), said.get("dense", False)
    if pooling not in POOLINGS or not isinstance(normalize, bool) or not isinstance(has_dense, bool):
        raise CheckpointError(
            f"{where}: task.json: embedding is {found!r:.60}, not a mapping with pooling ({', '.join(POOLINGS)}), "
            "normalize (true or false) and, where a Dense module follows, dense (true)"
        )
    if has_dense != (dense is not None):
        one, other = ("a", "none") if has_dense else ("no", "one")
        raise CheckpointError(
            f"{where}: task.json: embedding says that {one} Dense module follows the pooling, and the other files hold "
            f"{other}; copy the whole folder, or save the model again"
        )
    return EmbeddingSpec(pooling, normalize, dense)
