"""Read a saved_model.pb: names, assets, and the operations of one forward pass, but not the weights.

The weights of an ALBERT do not say how often the shared layer is applied. The model's call function does: it holds one
Softmax (of attention) per application. Field numbers are those of tensorflow/core/protobuf/
{saved_model,meta_graph,saved_object_graph,saved_metadata}.proto and core/framework/{graph,function,node_def,
attr_value}.proto. Messages are nested to a fixed depth and functions are followed with a list, never by recursion.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albertkit.checkpoints.tensorflow.object_graph import MessageReader, ObjectGraph, read_object_graph
from albertkit.errors import CheckpointError

OPERATIONS = ("Softmax", "Tanh", "Erf", "Erfc", "Relu")
"""What is counted: attention and pooler, and what tells the activations apart."""

MOST_BYTES = 64 << 20
"""Largest saved_model.pb that is read; those of 24 layers have about 10 MB."""

_MOST_APPLIED = 10_000  # functions that call each other can claim more operations than there are atoms
_MOST_SETTINGS = 1 << 20  # bytes of one layer's settings; Keras writes some 2 kB for an encoder


@dataclass(frozen=True)
class SavedModelGraph:
    """What is known of a model from its saved_model.pb (and keras_metadata.pb)."""

    objects: ObjectGraph | None = None
    """The object graph; None in a file of TensorFlow 1."""
    assets: Mapping[str, str] = field(default_factory=dict)
    """Attribute of the root -> name of its file in `assets/`."""
    operations: Mapping[str, int] = field(default_factory=dict)
    """Operation of `OPERATIONS` -> how often one forward pass does it; empty where no pass was found."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The encoder's arguments (`num_layers`, ..) as Keras noted them; empty where it did not."""
    notes: tuple[str, ...] = ()
    """What was skipped, one sentence each."""


def read_saved_model(folder: Path) -> SavedModelGraph:
    """Read `saved_model.pb`, and `keras_metadata.pb` where it is there.

    Args:
        folder: folder of the SavedModel.

    Raises:
        CheckpointError: saved_model.pb is absent, too large or corrupt.
    """
    path = folder / "saved_model.pb"
    reader = MessageReader(str(path))
    meta_graph = _first_meta_graph(_content(path), reader)
    graph = objects = None
    filenames = []
    for part in reader.fields(meta_graph):
        if part.number == 2:  # GraphDef
            graph = reader.content(part)
        elif part.number == 6:  # AssetFileDef
            filenames.append(reader.text(reader.content(part), 2))
        elif part.number == 7:  # SavedObjectGraph
            objects = read_object_graph(reader.content(part), reader)
    assets, keras = _assets_and_settings(objects, filenames, reader)
    notes: list[str] = []
    metadata = folder / "keras_metadata.pb"
    if metadata.is_file():
        try:
            reader_there = MessageReader(str(metadata))
            for node in reader_there.messages(_content(metadata), 1):
                keras += list(reader_there.messages(node, 5))
        except CheckpointError as error:  # nothing in it is needed
            notes.append(f"{error} (it was ignored)")
    return SavedModelGraph(
        objects=objects,
        assets=assets,
        operations=_forward_pass(graph, reader) if graph is not None else {},
        settings=_encoder_settings(keras),
        notes=tuple(notes),
    )


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise CheckpointError(f"{path}: has {size} bytes, more than any ALBERT's; it is not an ALBERT model")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: the file is missing; copy it next to the folder variables") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _first_meta_graph(data: bytes, reader: MessageReader) -> bytes:
    """Return the first meta graph: TensorFlow 2 writes a single one."""
    for meta_graph in reader.messages(data, 2):
        return meta_graph
    raise CheckpointError(f"{reader.where}: holds no graph of a SavedModel; copy or download the file again")


def _assets_and_settings(
    objects: ObjectGraph | None, filenames: list[str], reader: MessageReader
) -> tuple[dict[str, str], list[bytes]]:
    """Find the root's assets, and the settings that TensorFlow up to 2.4 kept with the objects themselves."""
    if objects is None:
        return {}, []
    assets: dict[str, str] = {}
    for name, child in objects.nodes[0].children.items():
        for asset in reader.messages(objects.nodes[child].message, 5):
            index = reader.number(asset, 1)
            if index < len(filenames):
                assets[name] = filenames[index]
    keras: list[bytes] = []
    for node in objects.nodes:
        for user_object in reader.messages(node.message, 4):
            keras += reader.messages(user_object, 3)
    return assets, keras


def _encoder_settings(texts: Iterable[bytes]) -> Mapping[str, Any]:
    """Return the settings of the first layer that is an AlbertEncoder (or AlbertTransformerEncoder, its old name)."""
    for text in texts:
        # Models that contain the encoder name it too, and hold settings of their own: a few are parsed in vain.
        if b"Albert" not in text or len(text) > _MOST_SETTINGS:
            continue
        try:
            layer = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(layer, dict) and isinstance(layer.get("config"), dict):
            kind = str(layer.get("class_name", ""))
            if "Albert" in kind and kind.endswith("Encoder"):
                settings: dict[str, Any] = layer["config"]
                return settings
    return {}


class _Functions:
    """The functions of a graph by name; a function is taken apart when it is first asked for."""

    def __init__(self, graph: bytes, reader: MessageReader) -> None:
        self._reader = reader
        self._messages: dict[str, bytes] = {}
        main: list[bytes] = []
        for part in reader.fields(graph):
            if part.number == 1:
                main.append(reader.content(part))
            elif part.number == 2:  # FunctionDefLibrary
                for function in reader.messages(reader.content(part), 1):
                    self._messages[self._name(function)] = function
        self.main = self._steps(main)
        self._done: dict[str, Counter[str]] = {}

    @property
    def names(self) -> list[str]:
        return list(self._messages)

    def _name(self, function: bytes) -> str:
        for signature in self._reader.messages(function, 1):  # an OpDef, whose first field is its name
            for part in self._reader.messages(signature, 1):
                return self._reader.decoded(part)
        return ""

    def _steps(self, nodes: Iterable[bytes]) -> tuple[Counter[str], list[str]]:
        """Return the operations that nodes do themselves, and the functions that they call, one entry a call."""
        operations: Counter[str] = Counter()
        called: list[str] = []
        for node in nodes:
            operation = next((self._reader.decoded(part) for part in self._reader.messages(node, 2)), "")
            if operation in OPERATIONS:
                operations[operation] += 1
            elif operation in self._messages:
                called.append(operation)
            elif operation.endswith("PartitionedCall"):
                called += [name for name in self._functions_named(node) if name in self._messages]
        return operations, called

    def _functions_named(self, node: bytes) -> Iterator[str]:
        for entry in self._reader.messages(node, 5):  # attr, a map {1: name, 2: AttrValue}
            for value in self._reader.messages(entry, 2):
                for function in self._reader.messages(value, 10):  # NameAttrList
                    yield self._reader.text(function, 1)

    def operations(self, name: str) -> Counter[str]:
        """Count the operations of one call, those of the functions that it calls included.

        Raises:
            CheckpointError: functions that call each other in a circle.
        """
        steps: dict[str, tuple[Counter[str], list[str]]] = {}
        stack = [name]
        while stack:
            current = stack[-1]
            if current in self._done:
                stack.pop()
            elif current not in steps:
                steps[current] = self._steps(self._reader.messages(self._messages[current], 3))
                waiting = [called for called in dict.fromkeys(steps[current][1]) if called not in self._done]
                if any(called in steps for called in waiting):
                    raise CheckpointError(
                        f"{self._reader.where}: the function {current:.80} calls itself; copy or download it again"
                    )
                stack += waiting
            else:
                self._done[current] = self.total(steps[current])
                stack.pop()
        return self._done[name]

    def total(self, steps: tuple[Counter[str], list[str]]) -> Counter[str]:
        """Add to a function's own operations those of its calls, which must be known."""
        total = Counter(steps[0])
        for called in steps[1]:
            total.update(self._done[called])
        return Counter({operation: min(count, _MOST_APPLIED) for operation, count in total.items()})


def _forward_pass(graph: bytes, reader: MessageReader) -> Mapping[str, int]:
    """Count the operations of one forward pass.

    The signatures of the model are calls in the main graph. If several contain attention, they must apply it equally
    often. For a model without signatures, the largest function counts; the others may be functions of single layers.
    """
    functions = _Functions(graph, reader)
    own, called = functions.main
    passes = [functions.operations(name) for name in dict.fromkeys(called)]
    passes = [operations for operations in (own, *passes) if operations["Softmax"]]
    if not passes:
        passes = [max((functions.operations(name) for name in functions.names), key=_applied, default=Counter())]
    return passes[0] if len({_applied(operations) for operations in passes}) == 1 else {}


def _applied(operations: Mapping[str, int]) -> int:
    return operations["Softmax"]
