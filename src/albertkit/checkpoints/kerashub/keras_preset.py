"""The JSON files of a KerasHub preset: the backbone, a task on top of it, the tokenizer, the preprocessor.

Looked up in keras-hub (`keras_hub/src/utils/preset_utils.py`, `models/albert/*.py`). Objects are written as keras
serializes them; nothing of a file is ever turned into a Python object here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albertkit.checkpoints.checkpoint import PROBLEM_TYPES, Checkpoint
from albertkit.checkpoints.label_names import label_names
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError

_FIELDS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "num_groups": "num_hidden_groups",
    "num_inner_repetitions": "inner_group_num",
    "embedding_dim": "embedding_size",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "dropout": "hidden_dropout_prob",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
}
"""KerasHub's name -> the published one."""

_FIXED = {"hidden_act": "gelu_new", "layer_norm_eps": 1e-12}
"""What AlbertBackbone has in its code and no setting changes."""

TASKS: Mapping[str, str] = {
    "AlbertTextClassifier": "classifier",
    "AlbertClassifier": "classifier",
    "AlbertMaskedLM": "mlm",
}
"""Class of a task -> the head that it has; AlbertClassifier is the older name."""

OURS = "albertkit"
"""Key of `metadata.json`, which KerasHub only writes, for what its own words cannot say."""


def class_of(values: Mapping[str, Any]) -> str:
    """Return the class that a serialized object names, without the library in front of it.

    >>> class_of({"registered_name": "keras_nlp>AlbertBackbone"})
    'AlbertBackbone'
    """
    return str(values.get("class_name") or values.get("registered_name")).rpartition(">")[2]


def read_backbone(values: Mapping[str, Any], extras: Mapping[str, Any], *, where: Path) -> AlbertConfig:
    """Read `config.json`.

    Args:
        values: its content.
        extras: what `read_extras` gave.
        where: the file, for messages.

    Raises:
        CheckpointError: another model, settings that are missing, or layers that the groups do not divide.
        ConfigError: an invalid value.
    """
    settings = values.get("config")
    if class_of(values) != "AlbertBackbone" or not isinstance(settings, dict):
        found = f"{class_of(values):.60}"
        raise CheckpointError(f"{where}: describes {found}, but albertkit reads only KerasHub's AlbertBackbone")
    if lacking := [name for name in _FIELDS if name not in settings and name not in ("dropout", "num_segments")]:
        raise CheckpointError(f"{where}: does not say {', '.join(lacking)}; save the preset again")
    own = {published: settings[name] for name, published in _FIELDS.items() if name in settings}
    # One setting of KerasHub is both dropouts of the others.
    own["attention_probs_dropout_prob"] = own.get("hidden_dropout_prob", 0.0)
    config = AlbertConfig.from_dict({**own, **extras.get("config", {}), **_FIXED}, where=str(where))
    if config.num_hidden_layers % config.num_hidden_groups:
        raise CheckpointError(
            f"{where}: num_groups {config.num_hidden_groups} does not divide num_layers {config.num_hidden_layers}, "
            "and KerasHub has no such network; repair the file"
        )
    return config


def read_extras(metadata: Mapping[str, Any], *, where: Path) -> dict[str, Any]:
    """Return what albertkit wrote into `metadata.json` for itself, checked; an empty mapping for KerasHub's own.

    Raises:
        CheckpointError: values that albertkit does not write.
    """
    extras: Any = metadata.get(OURS, {})
    kinds = {"config": dict, "labels": list, "problem_type": str, "tokenizer_mode": str, "task": dict}
    wrong = not isinstance(extras, dict) or any(not isinstance(v, kinds.get(k, ())) for k, v in extras.items())
    wrong = wrong or not all(isinstance(label, str) for label in extras.get("labels", []))
    if wrong or extras.get("config", {}).keys() & {*_FIELDS.values(), *_FIXED}:
        raise CheckpointError(f'{where}: "{OURS}" does not hold what albertkit writes there; remove that key')
    label_names(extras.get("labels", []), where=f"{where}: {OURS}: labels")
    if extras.get("problem_type") not in (None, *PROBLEM_TYPES):
        raise CheckpointError(f"{where}: problem_type is {extras['problem_type']!r:.60}; remove that key")
    return dict(extras)


def read_task(
    values: Mapping[str, Any], config: AlbertConfig, notes: list[str], *, where: Path
) -> tuple[str | None, int | None, AlbertConfig]:
    """Read `task.json`.

    Args:
        values: its content.
        config: the network under it.
        notes: takes a sentence where the task is none of ALBERT's or changes its outputs.
        where: the file, for messages.

    Returns:
        `(head, classes, config)`: `classifier`, `mlm` or None; the classifier's number of classes; the configuration
        with the classifier's dropout.

    Raises:
        ConfigError: an invalid dropout.
    """
    name = class_of(values)
    if name not in TASKS:
        notes.append(f"{where.name} describes {name:.60}, which is not a task of KerasHub's ALBERT, and was ignored")
        return None, None, config
    settings = values.get("config")
    settings = settings if isinstance(settings, dict) else {}
    if TASKS[name] == "mlm":
        notes.append("KerasHub adds 1e-5, not 1e-12, in the norm of its MLM head, so its logits differ a little")
        return "mlm", None, config
    if settings.get("activation") not in (None, "linear"):
        notes.append(f"KerasHub's classifier puts {settings['activation']!r:.40} on its outputs; here they are logits")
    if "dropout" in settings:
        dropout = {**config.to_dict(), "classifier_dropout_prob": settings["dropout"]}
        config = AlbertConfig.from_dict(dropout, where=str(where))
    classes = settings.get("num_classes")
    return "classifier", classes if type(classes) is int else None, config


def unsayable(config: AlbertConfig, *, where: str) -> None:
    """Refuse a network that AlbertBackbone cannot be.

    Raises:
        CheckpointError: another activation or constant, or layers that the groups do not divide.
    """
    for name, value in _FIXED.items():
        if getattr(config, name) != value:
            raise CheckpointError(
                f"{where}: {name} is {getattr(config, name)}, and KerasHub's ALBERT always has {value}; "
                "write another format"
            )
    if config.num_hidden_layers % config.num_hidden_groups:
        raise CheckpointError(
            f"{where}: num_hidden_layers {config.num_hidden_layers} is not a multiple of num_hidden_groups "
            f"{config.num_hidden_groups}, as KerasHub's ALBERT needs it; write another format"
        )


def _object(module: str, name: str, config: dict[str, Any]) -> dict[str, Any]:
    path = f"keras_hub.src.models.albert.{module}"
    return {"module": path, "class_name": name, "config": config, "registered_name": f"keras_hub>{name}"}


def _policy(name: str) -> dict[str, Any]:
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": name}, "registered_name": None}


def backbone_object(config: AlbertConfig, dtype: str) -> dict[str, Any]:
    """Return `config.json`; `dtype` is torch's name of the weights' precision."""
    settings = {name: getattr(config, published) for name, published in _FIELDS.items()}
    base = {"name": "albert_backbone", "trainable": True, "dtype": _policy(dtype)}
    return _object("albert_backbone", "AlbertBackbone", {**base, **settings})


def tokenizer_object() -> dict[str, Any]:
    """Return `tokenizer.json`; the vocabulary is in `assets/tokenizer`."""
    settings = {"config_file": "tokenizer.json", "proto": None, "sequence_length": None}
    base = {"name": "albert_tokenizer", "trainable": True, "dtype": _policy("int32")}
    return _object("albert_tokenizer", "AlbertTokenizer", {**base, **settings, "add_bos": False, "add_eos": False})


def preprocessor_object(head: str, config: AlbertConfig) -> dict[str, Any]:
    """Return `preprocessor.json` of a task."""
    module, name = {
        "classifier": ("albert_text_classifier_preprocessor", "AlbertTextClassifierPreprocessor"),
        "mlm": ("albert_masked_lm_preprocessor", "AlbertMaskedLMPreprocessor"),
    }[head]
    settings = {
        "name": module,
        "trainable": True,
        "dtype": _policy("float32"),
        "tokenizer": tokenizer_object(),
        "config_file": "preprocessor.json",
        "sequence_length": config.max_position_embeddings,
        "truncate": "round_robin",
    }
    return _object(module, name, settings)


def task_object(head: str, checkpoint: Checkpoint, dtype: str, *, tokenizer: bool) -> dict[str, Any]:
    """Return `task.json` for the classifier or the MLM head of a checkpoint.

    Args:
        head: `classifier` or `mlm`.
        checkpoint: the checkpoint to write.
        dtype: torch's name of the weights' precision.
        tokenizer: whether the preset holds a vocabulary, without which there is no preprocessor.
    """
    settings: dict[str, Any] = {
        "backbone": backbone_object(checkpoint.config, dtype),
        "preprocessor": preprocessor_object(head, checkpoint.config) if tokenizer else None,
    }
    if head == "mlm":
        return _object("albert_masked_lm", "AlbertMaskedLM", {**settings, "name": "albert_masked_lm"})
    settings["name"] = "albert_text_classifier"
    settings["num_classes"] = len(checkpoint.state["heads.classifier.bias"])
    settings["activation"] = "linear"
    settings["dropout"] = checkpoint.config.classifier_dropout_prob
    return _object("albert_text_classifier", "AlbertTextClassifier", settings)


def extras_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what of a checkpoint has no word in KerasHub's files, for `metadata.json`."""
    config = checkpoint.config
    said = {*_FIELDS.values(), *_FIXED}
    values = {
        "config": {name: value for name, value in config.to_dict().items() if name not in said},
        "labels": list(checkpoint.labels),
        "problem_type": checkpoint.problem_type,
        "tokenizer_mode": checkpoint.tokenizer_mode,
        "task": checkpoint.task,
    }
    return {name: value for name, value in values.items() if value}
