"""Checkpoint: one model as plain tensors under canonical names, and the seam that each file format fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from albertkit.config import AlbertConfig

if TYPE_CHECKING:
    import torch

HEADS = ("mlm", "sop", "classifier", "tags", "span", "choice")
"""Known heads; the tensors of each stand under `heads.<name>.`."""

PROBLEM_TYPES = ("single_label_classification", "regression", "multi_label_classification")
"""What the rows of a classifier mean, in the words of a Hugging Face `config.json`."""


@dataclass(frozen=True, eq=False)  # tensors have no truth value to compare by
class Checkpoint:
    """Everything that the files of one model say.

    >>> Checkpoint(AlbertConfig(), {"heads.sop.bias": None}, source_format="huggingface", source="folder").heads
    ('sop',)
    """

    config: AlbertConfig
    """Shape and constants of the network."""
    state: Mapping[str, torch.Tensor] = field(repr=False)
    """Canonical name -> tensor, in the precision of the files; linear weights are `[out, in]`."""
    source_format: str
    """Name of the format that it was read from."""
    source: str
    """Where it was read from, for messages."""
    labels: tuple[str, ...] = ()
    """Names of the classifier's (or tagger's) outputs, by index; empty where the files name none."""
    problem_type: str | None = None
    """One of `PROBLEM_TYPES`, or None where the files do not say."""
    task: dict[str, Any] | None = None
    """Content of `task.json` without its format version; None for a model that albertkit did not train."""
    tokenizer_files: Mapping[str, Path] = field(default_factory=dict)
    """File name -> path, for each tokenizer file that was found."""
    notes: tuple[str, ...] = ()
    """What the reader passed over or understood in a particular way, one sentence each."""

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that the state holds, in the order of first appearance."""
        return heads_of(self.state)

    @property
    def has_pooler(self) -> bool:
        """Whether the state holds the pooler; models without a sentence-level head are often saved without."""
        return "pooler.weight" in self.state

    @property
    def pooling(self) -> str:
        """What the task head reads of each sequence, by `task.json`; `pooler` where it does not say."""
        head = (self.task or {}).get("head") or {}
        return str(head.get("pooling", "pooler"))


def heads_of(state: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the heads in a canonical state.

    >>> heads_of({"pooler.weight": 0, "heads.mlm.bias": 0, "heads.mlm.dense.bias": 0})
    ('mlm',)
    """
    return tuple(dict.fromkeys(name.split(".")[1] for name in state if name.startswith("heads.")))


@runtime_checkable
class Format(Protocol):
    """One file format: how to know it, read it and write it."""

    holds: str
    """What a model in this format consists of, for the message when nothing matches."""

    def matches(self, path: Path) -> bool:
        """Tell, without reading weights, whether `path` is meant to be a model in this format."""
        ...

    def read(self, path: Path) -> Checkpoint:
        """Read and check a model.

        Raises:
            CheckpointError: missing, unexpected, mis-shaped or corrupt weights, all in one error.
        """
        ...

    def write(self, checkpoint: Checkpoint, folder: Path) -> None:
        """Write a model into an existing folder (the caller makes the whole folder atomic).

        Raises:
            CheckpointError: the format cannot hold this checkpoint.
            WriteError: the system refused.
        """
        ...
