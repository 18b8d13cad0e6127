"""`config.json` of a Hugging Face folder: the network, the class that it declares, and the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from albertkit.checkpoints.checkpoint import HEADS, PROBLEM_TYPES, Checkpoint, heads_of
from albertkit.checkpoints.label_names import id2label_names
from albertkit.checkpoints.state import is_deep
from albertkit.config import ACTIVATIONS, AlbertConfig
from albertkit.errors import CheckpointError

ARCHITECTURES: Mapping[str, tuple[str, ...]] = {
    "AlbertModel": (),
    "AlbertForPreTraining": ("mlm", "sop"),
    "AlbertForMaskedLM": ("mlm",),
    "AlbertForSequenceClassification": ("classifier",),
    "AlbertForTokenClassification": ("tags",),
    "AlbertForQuestionAnswering": ("span",),
    "AlbertForMultipleChoice": ("choice",),
}
"""Class of transformers -> the heads that it has."""

LABELLED_HEADS = ("classifier", "tags", "choice")
"""Heads whose outputs may have names; transformers calls all three "classifier"."""

_ACTIVATION_NAMES = {"gelu_pytorch_tanh": "gelu_new"}

# Keys that any config.json may hold and that change nothing in the numbers of this network.
# fmt: off
_BOOKKEEPING = frozenset((
    "_name_or_path", "architectures", "bos_token_id", "chunk_size_feed_forward", "down_scale_factor", "dtype",
    "eos_token_id", "finetuning_task", "gap_size", "id2label", "is_decoder", "is_encoder_decoder", "label2id",
    "model_type", "num_labels", "num_memory_blocks", "output_attentions", "output_hidden_states", "output_past",
    "pad_token_id", "position_embedding_type", "problem_type", "pruned_heads", "return_dict", "tie_word_embeddings",
    "torch_dtype", "torchscript", "transformers.js_config", "transformers_version", "use_cache",
))
# fmt: on


def read_config(values: Mapping[str, Any], notes: list[str], *, where: Path) -> AlbertConfig:
    """Read the network.

    Args:
        values: content of `config.json`.
        notes: gets one sentence that names the ignored keys, if there are any.
        where: the file, for messages.

    Raises:
        CheckpointError: another kind of model, another position embedding or activation.
        ConfigError: an invalid value.
    """
    kind = values.get("model_type", "albert" if "num_hidden_groups" in values else "unknown")
    if kind != "albert":
        raise CheckpointError(
            f'{where}: model_type is "{kind!s:.60}", and albertkit reads only ALBERT models ("albert")'
        )
    positions = values.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise CheckpointError(f'{where}: position_embedding_type is "{positions!s:.60}", only "absolute" is supported')
    known = {entry.name for entry in fields(AlbertConfig)} | {"net_structure_type"}
    own = {key: value for key, value in values.items() if key in known}
    activation = own.get("hidden_act", "gelu_new")
    own["hidden_act"] = _ACTIVATION_NAMES.get(str(activation), activation)
    if own["hidden_act"] not in ACTIVATIONS:
        supported = ", ".join([*ACTIVATIONS, *_ACTIVATION_NAMES])
        raise CheckpointError(f'{where}: hidden_act is "{activation!s:.60}", only {supported} are supported')
    if passed := sorted(values.keys() - known - _BOOKKEEPING):
        notes.append(f"{where.name}: keys that do not describe the network were ignored: {', '.join(passed)[:500]}")
    return AlbertConfig.from_dict(own, where=str(where))


def read_architecture(values: Mapping[str, Any], tensors: Mapping[str, object], notes: list[str]) -> str:
    """Return the declared class; where none of `ARCHITECTURES` is declared, the one that the tensors suggest.

    >>> read_architecture({"architectures": ["AlbertForMaskedLM"]}, {}, [])
    'AlbertForMaskedLM'
    """
    declared = values.get("architectures") or []
    if isinstance(declared, list) and len(declared) == 1 and str(declared[0]) in ARCHITECTURES:
        return str(declared[0])
    found = "AlbertModel"
    if "classifier.weight" in tensors:
        pooled = any("pooler" in name for name in tensors)  # taggers are saved without
        found = "AlbertForSequenceClassification" if pooled else "AlbertForTokenClassification"
    notes.append(f"config.json declares the architectures {declared!s:.60}; the tensors were read as {found}")
    return found


def architecture_for(state: Mapping[str, torch.Tensor], *, pooling: str = "pooler") -> str:
    """Choose the class for a canonical state.

    The task head decides; several task heads, a deep one, one that transformers does not know, or one that reads
    anything but the pooler's output where transformers' class reads that, leave AlbertModel.

    Args:
        state: canonical name -> tensor.
        pooling: what the task head reads of each sequence; `pooler` is what transformers' class reads.

    >>> architecture_for({"heads.mlm.bias": torch.zeros(1)})
    'AlbertForMaskedLM'
    >>> head = {"heads.classifier.weight": torch.zeros(2, 3), "heads.classifier.bias": torch.zeros(2)}
    >>> architecture_for(head), architecture_for(head, pooling="mean")
    ('AlbertForSequenceClassification', 'AlbertModel')
    """
    heads = heads_of(state)
    tasks = [head for head in heads if head not in ("mlm", "sop", "exits")]  # exits come with a classifier
    if tasks:
        as_there = len(tasks) == 1 and not is_deep(state, tasks[0]) and pooling == "pooler"
        return next((name for name, own in ARCHITECTURES.items() if as_there and own == (tasks[0],)), "AlbertModel")
    if "mlm" in heads:
        return "AlbertForPreTraining" if "sop" in heads else "AlbertForMaskedLM"
    return "AlbertModel"


def num_outputs(state: Mapping[str, torch.Tensor], head: str) -> int | None:
    """Return the number of named outputs of a head; None for choices and where it cannot be told."""
    last = "" if f"heads.{head}.weight" in state else ".output"
    weight = state.get(f"heads.{head}{last}.weight")
    return None if head == "choice" or weight is None or weight.ndim == 0 else len(weight)


def read_labels(
    values: Mapping[str, Any],
    state: Mapping[str, torch.Tensor],
    *,
    heads: Sequence[str],
    notes: list[str],
    where: Path,
) -> tuple[tuple[str, ...], str | None]:
    """Read the labels and the problem type; without a head that has labels, there are none.

    Raises:
        CheckpointError: an unknown problem type, or an `id2label` with gaps, a name that is none, or one name twice.
    """
    problem_type = values.get("problem_type")
    if problem_type not in (None, *PROBLEM_TYPES):
        raise CheckpointError(f'{where}: problem_type is "{problem_type!s:.60}", not one of {", ".join(PROBLEM_TYPES)}')
    head = next((head for head in heads if head in LABELLED_HEADS), None)
    if head is None:
        return (), problem_type
    outputs = num_outputs(state, head)
    labels = id2label_names(values, where=str(where))
    if labels is None:
        labels = tuple(f"LABEL_{index}" for index in range(outputs or 0))
    if outputs == 1 and head == "classifier" and problem_type is None:
        problem_type = "regression"
        notes.append("the classifier has one output, which transformers trains as a regression")
    if problem_type == "regression" and labels == ("LABEL_0",):
        labels = ()
    return labels, problem_type


def label_values(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the keys of `config.json` that say what the outputs mean.

    Raises:
        CheckpointError: labels or a problem type that do not fit the heads.
    """
    source, labels, problem_type = checkpoint.source, checkpoint.labels, checkpoint.problem_type
    values: dict[str, Any] = {}
    if problem_type is not None:
        if problem_type not in PROBLEM_TYPES:
            raise CheckpointError(f'{source}: problem type "{problem_type}" is not one of {", ".join(PROBLEM_TYPES)}')
        values["problem_type"] = problem_type
    head = next((head for head in checkpoint.heads if head in LABELLED_HEADS), None)
    if head is None:
        if labels and all(one in HEADS for one in checkpoint.heads):  # task.json has the labels of other heads
            raise CheckpointError(f"{source}: {len(labels)} labels were given, but no head of the model has labels")
        return values
    outputs = num_outputs(checkpoint.state, head)
    if labels and (len(set(labels)) != len(labels) or outputs not in (None, len(labels))):
        expected = "distinct names" if outputs is None else f"{outputs} distinct names"
        raise CheckpointError(f"{source}: the labels of the {head} head are {list(labels)}, expected {expected}")
    if outputs == 1 and problem_type == "single_label_classification":
        raise CheckpointError(f"{source}: a classification needs at least 2 labels, the {head} head has 1 output")
    names = labels or tuple(f"LABEL_{index}" for index in range(outputs or 0))
    if names:
        values["num_labels"] = len(names)
        values["id2label"] = {str(index): name for index, name in enumerate(names)}
        values["label2id"] = {name: index for index, name in enumerate(names)}
    return values
