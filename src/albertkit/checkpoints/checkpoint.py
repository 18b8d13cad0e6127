"""Checkpoint: one model as plain tensors under canonical names, and the seam that each file format fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from albertkit.checkpoints.dense import Dense
from albertkit.config import POOLINGS, AlbertConfig

if TYPE_CHECKING:
    import torch

HEADS = ("mlm", "sop", "classifier", "tags", "span", "answer", "choice")
"""Known heads; tensor names of each start with `heads.<name>.`. `span` is the plain head of SQuAD 1.1. `answer` is
Google's head for SQuAD 2.0: the end depends on the start, and a score says whether there is an answer."""

PROBLEM_TYPES = ("single_label_classification", "regression", "multi_label_classification")
"""What the rows of a classifier mean, in the words of a Hugging Face `config.json`."""


@dataclass(frozen=True)
class ReadOptions:
    """What the user says of a model whose files do not, or against what they say.

    >>> ReadOptions(num_heads=32).applied(AlbertConfig(hidden_size=2048)).num_attention_heads
    32
    """

    num_layers: int | None = None
    """How many times a layer is applied (`num_hidden_layers`)."""
    num_heads: int | None = None
    """Attention heads."""
    activation: str | None = None
    """`gelu` (erf), `gelu_new` (tanh) or `relu`."""

    def applied(self, config: AlbertConfig) -> AlbertConfig:
        """Return the configuration with what was said.

        Raises:
            ConfigError: the result cannot be.
        """
        given: dict[str, Any] = {
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "hidden_act": self.activation,
        }
        return replace(config, **{name: value for name, value in given.items() if value is not None})


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
    dense: Dense | None = None
    """The map of a text's pooled vector that `embedding` speaks of; only Hugging Face folders hold one."""
    tokenizer_files: Mapping[str, Path] = field(default_factory=dict)
    """Name in a Hugging Face folder (`spiece.model`, `vocab.txt`, ..) -> path, for each tokenizer file found."""
    tokenizer_mode: str | None = None
    """Whose text processing goes with the weights, a name of `albertkit tokenize --mode`; None where the tokenizer's
    own files say it."""
    unexpected: tuple[str, ...] = ()
    """Tensors of the source that have no place in an ALBERT network and were skipped, under the source's names."""
    resources: object = field(default=None, repr=False)
    """What has to live as long as the paths and the memory-mapped tensors here: the folder of an unpacked archive."""
    notes: tuple[str, ...] = ()
    """What the reader skipped or interpreted in a particular way, one sentence each."""

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that the state holds, in the order of first appearance."""
        return heads_of(self.state)

    @property
    def has_pooler(self) -> bool:
        """Whether the state holds the pooler; models without a sentence-level head are often saved without."""
        return "pooler.weight" in self.state

    @property
    def missing(self) -> tuple[str, ...]:
        """Parts of an ALBERT network that the source does not hold."""
        return () if self.has_pooler else ("pooler.weight", "pooler.bias")

    @property
    def pooling(self) -> str:
        """What the task head reads of each sequence, by `task.json`; `pooler` where it does not say."""
        head = (self.task or {}).get("head")
        return str(head.get("pooling", "pooler")) if isinstance(head, dict) else "pooler"

    @property
    def embedding(self) -> dict[str, Any] | None:
        """What the vector of a text is, by `task.json`: `pooling` and `normalize`; None where it does not say.

        A model that was trained to compare texts embeds with its head's pooling.
        """
        values = self.task or {}
        found = values.get("embedding")
        if found is None and values.get("task") == "similarity":
            found = {"pooling": self.pooling, "normalize": False}
        if not isinstance(found, dict) or found.get("pooling") not in POOLINGS:
            return None
        return {"pooling": found["pooling"], "normalize": bool(found.get("normalize"))}

    @property
    def max_length(self) -> int:
        """Longest input in tokens, by `task.json`; never more than the network has positions."""
        length, positions = (self.task or {}).get("max_length"), self.config.max_position_embeddings
        return min(length, positions) if type(length) is int else positions


def heads_of(state: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the heads in a canonical state.

    >>> heads_of({"pooler.weight": 0, "heads.mlm.bias": 0, "heads.mlm.dense.bias": 0})
    ('mlm',)
    """
    return tuple(dict.fromkeys(name.split(".")[1] for name in state if name.startswith("heads.")))


READ_AS_IT_IS = ReadOptions()
"""Nothing but what the files say."""


@runtime_checkable
class Format(Protocol):
    """One file format: how to know it, read it and write it."""

    holds: str
    """What a model in this format consists of, for the message when nothing matches."""
    writes: str | None
    """`folder` or `file`: what `write` makes; None for a format that is only read."""

    def matches(self, path: Path) -> bool:
        """Tell, without reading weights, whether `path` is meant to be a model in this format."""
        ...

    def read(self, path: Path, options: ReadOptions = READ_AS_IT_IS) -> Checkpoint:
        """Read and check a model.

        Args:
            path: the folder or file.
            options: what to take instead of (or for want of) what the files say.

        Raises:
            CheckpointError: missing, unexpected, mis-shaped or corrupt weights, all in one error.
        """
        ...

    def write(self, checkpoint: Checkpoint, target: Path) -> None:
        """Write a model into an existing folder, or to a file; the caller makes the whole atomic.

        Raises:
            CheckpointError: the format cannot hold this checkpoint.
            WriteError: the system refused.
        """
        ...
