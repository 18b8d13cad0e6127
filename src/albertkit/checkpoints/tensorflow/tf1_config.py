"""`albert_config.json` as google-research/albert writes and understands it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from albertkit.checkpoints.checkpoint import ReadOptions
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError

# "gelu" in modeling.py is the tanh form, which Hugging Face calls "gelu_new"; Google has no name for the erf form.
_ACTIVATIONS = {"gelu": "gelu_new", "relu": "relu"}

# Keys of the published files that change nothing where net_structure_type is 0, the only one that was published.
_PLAIN = frozenset(("net_structure_type", "gap_size", "num_memory_blocks", "down_scale_factor"))
_EPSILON = 1e-12  # contrib_layers.layer_norm's own, for numbers of 32 bits


def read_tf1_config(values: Mapping[str, Any], options: ReadOptions, notes: list[str], *, where: Path) -> AlbertConfig:
    """Read the network.

    Args:
        values: content of `albert_config.json`.
        options: what the user says; an activation given here makes the file's own not matter.
        notes: gets one sentence if keys were ignored.
        where: the file, for messages.

    Raises:
        CheckpointError: an activation, a layer normalization or a choice of layers that albertkit does not have.
        ConfigError: an invalid value.
    """
    known = {entry.name for entry in fields(AlbertConfig)}
    own = {key: value for key, value in values.items() if key in known or key == "net_structure_type"}
    activation = values.get("hidden_act", "gelu")
    own["hidden_act"] = options.activation or _ACTIVATIONS.get(str(activation).lower())
    if own["hidden_act"] is None:
        raise CheckpointError(
            f'{where}: hidden_act is "{activation}", Google\'s files say gelu or relu; '
            "repair it or pass --activation gelu, gelu_new or relu"
        )
    for key, usual in (("ln_type", "postln"), ("layers_to_keep", [])):
        if values.get(key, usual) != usual:
            raise CheckpointError(f"{where}: {key} is {values[key]!r}, only {usual!r} is supported")
    if passed := sorted(values.keys() - known - _PLAIN - {"ln_type", "layers_to_keep"}):
        shown = ", ".join(passed[:10]) + (", .." if len(passed) > 10 else "")
        notes.append(f"{where.name}: keys that do not describe the network were ignored: {shown}")
    config = options.applied(AlbertConfig.from_dict(own, where=str(where)))
    if groups_differ(config):
        notes.append(
            f"with {config.num_hidden_layers} layers in {config.num_hidden_groups} groups Google's code rounds the "
            "group of some layers down to the one before; here every layer uses its own group, as the paper says"
        )
    return config


def groups_differ(config: AlbertConfig) -> bool:
    """Return whether Google's group of a layer, `int(i / L * G)` of modeling.py, is another than ours for some layer.

    >>> [n for n in range(1, 48) if groups_differ(AlbertConfig(num_hidden_layers=n, num_hidden_groups=n))]
    [22, 23, 26, 39, 43, 44, 45, 46, 47]
    """
    layers, groups = config.num_hidden_layers, config.num_hidden_groups
    return groups > 1 and any(int(i / layers * groups) != config.group_of_layer(i) for i in range(layers))


def tf1_config_values(config: AlbertConfig, *, where: str) -> dict[str, Any]:
    """Return the content of `albert_config.json`.

    Args:
        config: the network.
        where: what an error message calls the model.

    Raises:
        CheckpointError: the network is none that Google's code can build.
    """
    activation = next((name for name, ours in _ACTIVATIONS.items() if ours == config.hidden_act), None)
    if activation is None:
        raise CheckpointError(
            f'{where}: its activation is the erf form of gelu, and Google\'s "gelu" means the tanh form; '
            "convert with --activation gelu_new if the small difference is acceptable"
        )
    if config.layer_norm_eps != _EPSILON:
        raise CheckpointError(
            f"{where}: layer_norm_eps is {config.layer_norm_eps}, Google's code has {_EPSILON} and no setting for it; "
            "convert to huggingface instead"
        )
    if config.project_equal_widths:
        raise CheckpointError(
            f"{where}: projects embeddings that are as wide as the layers, and Google's code has no projection there; "
            "convert to huggingface or keras instead"
        )
    if groups_differ(config):
        raise CheckpointError(
            f"{where}: with {config.num_hidden_layers} layers in {config.num_hidden_groups} groups Google's code would "
            "use other weights for some layers than this model; convert to huggingface instead"
        )
    values = {
        "attention_probs_dropout_prob": config.attention_probs_dropout_prob,
        "hidden_act": activation,
        "hidden_dropout_prob": config.hidden_dropout_prob,
        "embedding_size": config.embedding_size,
        "hidden_size": config.hidden_size,
        "initializer_range": config.initializer_range,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "num_attention_heads": config.num_attention_heads,
        "num_hidden_layers": config.num_hidden_layers,
        "num_hidden_groups": config.num_hidden_groups,
        "net_structure_type": 0,
        "gap_size": 0,
        "num_memory_blocks": 0,
        "inner_group_num": config.inner_group_num,
        "down_scale_factor": 1,
        "type_vocab_size": config.type_vocab_size,
        "vocab_size": config.vocab_size,
    }
    if config.classifier_dropout_prob != AlbertConfig.classifier_dropout_prob:
        values["classifier_dropout_prob"] = config.classifier_dropout_prob  # Google's code ignores unknown keys
    return values
