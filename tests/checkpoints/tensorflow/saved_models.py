"""TF2 SavedModels, written as far as a reader of weights looks: names, keys, graphs, variables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from tests.checkpoints.healthy import random_checkpoint

from albertkit.checkpoints import Checkpoint
from albertkit.checkpoints.tensorflow.crc32c import masked_crc32c
from albertkit.checkpoints.tensorflow.sstable import read_table, table_bytes
from albertkit.checkpoints.tensorflow.tensor_bundle_writer import write_bundle
from albertkit.config import AlbertConfig

CONFIG = AlbertConfig(
    vocab_size=23,
    embedding_size=4,
    hidden_size=6,
    num_hidden_layers=5,
    num_attention_heads=2,
    intermediate_size=7,
    max_position_embeddings=9,
)
NO_PROJECTION_CONFIG = replace(CONFIG, embedding_size=6, num_hidden_layers=3)

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"

_LAYER = "groups.0.layers.0."
_NAMES = {
    "embeddings.word.weight": "word_embeddings/embeddings",
    "embeddings.position.weight": "position_embedding/embeddings",
    "embeddings.token_type.weight": "type_embeddings/embeddings",
    "embeddings.norm.": "embeddings/layer_norm/",
    "embeddings.projection.": "embedding_projection/",
    _LAYER + "attention.query.": "transformer/self_attention/query/",
    _LAYER + "attention.key.": "transformer/self_attention/key/",
    _LAYER + "attention.value.": "transformer/self_attention/value/",
    _LAYER + "attention.output.": "transformer/self_attention/attention_output/",
    _LAYER + "attention.norm.": "transformer/self_attention_layer_norm/",
    _LAYER + "ffn.up.": "transformer/intermediate/",
    _LAYER + "ffn.down.": "transformer/output/",
    _LAYER + "ffn.norm.": "transformer/output_layer_norm/",
    "pooler.": "pooler_transform/",
    "heads.mlm.dense.": "bert/cls/predictions/transform/dense/",
    "heads.mlm.norm.": "bert/cls/predictions/transform/LayerNorm/",
    "heads.mlm.bias": "bert/cls/predictions/output_bias/bias",
}


def number(field: int, value: int) -> bytes:
    """A field with a whole number."""
    return _varint(field << 3) + _varint(value)


def message(field: int, content: bytes | str) -> bytes:
    """A field with a message or a string."""
    content = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    head = b""
    while value > 0x7F:
        head += bytes([value & 0x7F | 0x80])
        value >>= 7
    return head + bytes([value])


def variables_of(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The variables of the Model Garden's AlbertEncoder, with the heads kept apart."""
    config = checkpoint.config
    apart = (config.num_attention_heads, config.hidden_size // config.num_attention_heads)
    variables = {}
    for name, tensor in checkpoint.state.items():
        theirs = next(theirs for ours, theirs in _NAMES.items() if name.startswith(ours))
        if theirs.endswith("/"):
            weight, bias = ("gamma", "beta") if ".norm." in name else ("kernel", "bias")
            theirs += weight if name.endswith("weight") else bias
        if theirs.endswith("kernel"):
            tensor = tensor.t()
        if "/self_attention/attention_output/kernel" in theirs:
            tensor = tensor.reshape(*apart, -1)  # [N, D, H]
        elif "/self_attention/" in theirs and "attention_output" not in theirs:
            tensor = tensor.reshape(*tensor.shape[:-1], *apart)  # [H, N, D], [N, D]
        variables[theirs] = tensor
    return variables


def object_graph(names: Sequence[str], *, tracked: bool, full_names: bool = True, asset: bool = False) -> bytes:
    """A graph root -> "variables" -> one object a variable, of either kind."""
    root = message(1, number(1, 1) + message(2, "variables"))
    if asset:
        root += message(1, number(1, len(names) + 2) + message(2, "sp_model_file"))
    listed = b"".join(message(1, number(1, 2 + i) + message(2, str(i))) for i in range(len(names)))
    nodes = [root, listed]
    for i, name in enumerate(names):
        if tracked:
            attribute = message(1, "VARIABLE_VALUE") + (message(2, name) if full_names else b"") + message(3, key_of(i))
            nodes.append(message(2, attribute))
        else:
            nodes.append(message(7, number(1, 1) + message(6, name + ":0")))
    if asset:
        nodes.append(message(5, number(1, 0)))
    return b"".join(message(1, node) for node in nodes)


def key_of(index: int) -> str:
    return f"variables/{index}/.ATTRIBUTES/VARIABLE_VALUE"


def node(name: str, operation: str, *, calls: str = "") -> bytes:
    """A NodeDef, which may call a function."""
    attribute = message(5, message(1, "f") + message(2, message(10, message(1, calls)))) if calls else b""
    return message(1, name) + message(2, operation) + attribute


def function(name: str, *nodes: bytes) -> bytes:
    """A FunctionDef in a library."""
    return message(1, message(1, message(1, name)) + b"".join(message(3, each) for each in nodes))


def graph(layers: int, activation: str = "Tanh", *, inline: bool = False) -> bytes:
    """A GraphDef whose signature applies a layer some times, in its own body or by calls."""
    if inline:
        body = [node(f"{i}", operation) for i in range(layers) for operation in ("Softmax", activation)]
    else:
        body = [node(f"{i}", "StatefulPartitionedCall", calls="layer") for i in range(layers)]
    library = [
        function("layer", node("s", "Softmax"), node("e", "Einsum"), node("a", activation)),
        function("encoder", *body, node("pooler/Tanh", "Tanh")),
        function("signature", node("c", "StatefulPartitionedCall", calls="encoder")),
    ]
    return message(1, node("call", "StatefulPartitionedCall", calls="signature")) + message(2, b"".join(library))


def settings(**values: Any) -> bytes:
    """A keras_metadata.pb with one encoder."""
    layer = {"class_name": "Text>AlbertEncoder", "config": values}
    return message(1, message(3, "root.layer") + message(5, json.dumps(layer)))


def write_saved_model(
    folder: Path,
    variables: Mapping[str, torch.Tensor],
    *,
    graph_def: bytes,
    tracked: bool = True,
    full_names: bool = True,
    saved: bool = True,
    keras: bytes | None = None,
    keys: Mapping[str, str] | None = None,
) -> Path:
    """Write a folder.

    Args:
        folder: where to; it is made.
        variables: name -> tensor.
        graph_def: of the functions.
        tracked: whether the checkpoint holds its object graph.
        full_names: whether that graph names the variables.
        saved: whether saved_model.pb holds an object graph.
        keras: content of keras_metadata.pb.
        keys: name -> key, of those that have another key than their number.
    """
    (folder / "assets").mkdir(parents=True)
    (folder / "variables").mkdir()
    (folder / "assets" / "some.model").write_bytes(b"a vocabulary")
    names = list(variables)
    prefix = folder / "variables" / "variables"
    under = {name: (keys or {}).get(name, key_of(i)) for i, name in enumerate(names)}
    write_bundle(prefix, {under[name]: tensor for name, tensor in variables.items()})
    if tracked:
        _add_string(prefix, GRAPH_KEY, object_graph(names, tracked=True, full_names=full_names))
    meta_graph = message(2, graph_def) + message(6, message(2, "some.model"))
    if saved:
        meta_graph += message(7, object_graph(names, tracked=False, asset=True))
    (folder / "saved_model.pb").write_bytes(number(1, 1) + message(2, meta_graph))
    if keras is not None:
        (folder / "keras_metadata.pb").write_bytes(keras)
    return folder


def _add_string(prefix: Path, name: str, value: bytes) -> None:
    """Add a scalar string to a bundle: its length, a checksum of that, its bytes."""
    data, index = prefix.with_name("variables.data-00000-of-00001"), prefix.with_name("variables.index")
    length = len(value).to_bytes(4, "little")
    checksum = masked_crc32c(length).to_bytes(4, "little")
    content = data.read_bytes()
    stored = _varint(len(value)) + checksum + value
    data.write_bytes(content + stored)
    entry = number(1, 7) + message(2, b"") + number(4, len(content)) + number(5, len(stored))
    entry += bytes([6 << 3 | 5]) + masked_crc32c(length, checksum, value).to_bytes(4, "little")
    index.write_bytes(table_bytes({**read_table(index), name.encode(): entry}))


def made_saved_model(
    folder: Path,
    *,
    config: AlbertConfig = CONFIG,
    rename: Callable[[str], str] = str,
    more: Mapping[str, torch.Tensor] = MappingProxyType({}),
    without: str = "nothing",
    **changes: Any,
) -> Path:
    """A model with a head of masked pieces, good but for the changes.

    Args:
        folder: where to; it is made.
        config: of the network.
        rename: takes a variable's name and gives another.
        more: variables besides, or in place of, the network's own.
        without: part of the names that are left out.
        changes: arguments of `write_saved_model`.
    """
    variables = {rename(name): tensor for name, tensor in variables_of(random_checkpoint(config, "mlm")).items()}
    variables = {name: tensor for name, tensor in {**variables, **more}.items() if without not in name}
    changes.setdefault("graph_def", graph(config.num_hidden_layers))
    return write_saved_model(folder, variables, **changes)


def healthy_saved_model(folder: Path) -> Path:
    """A good model with a head of masked pieces."""
    return made_saved_model(folder / "model")
