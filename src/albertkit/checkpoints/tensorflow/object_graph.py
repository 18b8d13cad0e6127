"""Object graphs of TensorFlow 2: the tree of Python objects whose variables a checkpoint holds.

The keys of such a checkpoint are paths through the tree (`variables/7/.ATTRIBUTES/VARIABLE_VALUE`) and say nothing of
what a variable is. Two messages do: TrackableObjectGraph, which the checkpoint holds as a string under
`_CHECKPOINTABLE_OBJECT_GRAPH`, and SavedObjectGraph in a saved_model.pb. Numbers of fields are those of
tensorflow/core/protobuf/{trackable_object_graph,saved_object_graph}.proto; both begin alike:

    graph {1: nodes}    node {1: children {1: node_id, 2: local_name}, ..}    root = node 0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from albertkit.errors import CheckpointError
from albertkit.io.protobuf import BYTES, VARINT, Field, ProtobufError, read_fields

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""Name under which a checkpoint holds its own graph."""

MOST_FIELDS = 100_000
"""Fields that one file may have: eight times those of an ALBERT with its head, and less than a second of work."""

_ATTRIBUTES = "/.ATTRIBUTES/"  # between the path of an object and the name of what it holds
_TRACKED_ATTRIBUTES, _SAVED_VARIABLE = 2, 7
_VARIABLE_NAME, _FULL_NAME, _CHECKPOINT_KEY = 6, 2, 3


class MessageReader:
    """Takes the protobuf messages of one file apart, up to a number of fields, so that no file costs long.

    >>> reader = MessageReader("made here")
    >>> reader.text(bytes([0x12, 0x02, 0x68, 0x69]), 2), reader.number(bytes([0x08, 0x07]), 1)
    ('hi', 7)

    Args:
        where: what an error message calls the file.
        limit: largest number of fields over all calls.
    """

    def __init__(self, where: str, *, limit: int = MOST_FIELDS) -> None:
        self.where = where
        self._left = limit

    def fields(self, data: bytes) -> Iterator[Field]:
        """Walk over the fields of one message.

        Raises:
            CheckpointError: no message, or more fields than the limit.
        """
        try:
            for field in read_fields(data, where=self.where):
                self._left -= 1
                if self._left < 0:
                    raise CheckpointError(
                        f"{self.where}: has more parts than any ALBERT has; it is not an ALBERT model"
                    )
                yield field
        except ProtobufError as error:
            raise CheckpointError(f"{error}; copy or download it again") from error

    def content(self, field: Field) -> bytes:
        """Return the bytes of a field that holds a message or a string.

        Raises:
            CheckpointError: it holds a number.
        """
        if field.wire_type != BYTES or not isinstance(field.value, bytes):
            raise CheckpointError(f"{self.where}: a number where a message belongs; copy or download it again")
        return field.value

    def messages(self, data: bytes, number: int) -> Iterator[bytes]:
        """Iterate over the messages with one field number."""
        return (self.content(field) for field in self.fields(data) if field.number == number)

    def text(self, data: bytes, number: int) -> str:
        """Return the string under a field number, "" where there is none.

        Raises:
            CheckpointError: it is not UTF-8.
        """
        found = list(self.messages(data, number))
        return self.decoded(found[-1]) if found else ""  # of several the last counts, as for every reader of protobuf

    def decoded(self, content: bytes) -> str:
        """Return a string's bytes as text.

        Raises:
            CheckpointError: they are not UTF-8.
        """
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(
                f"{self.where}: the name {content[:40]!r} is not UTF-8; copy or download it again"
            ) from error

    def number(self, data: bytes, number: int) -> int:
        """Return the whole number under a field number, 0 where there is none.

        Raises:
            CheckpointError: the field holds something else.
        """
        found = 0
        for field in self.fields(data):
            if field.number == number:
                if field.wire_type != VARINT or not isinstance(field.value, int):
                    raise CheckpointError(f"{self.where}: a number is of the wrong kind; copy or download it again")
                found = field.value
        return found


@dataclass(frozen=True)
class ObjectNode:
    """One object of a graph."""

    children: Mapping[str, int]
    """Name of an attribute -> number of the object there."""
    message: bytes
    """The whole message, for what only one of the two kinds of graph says."""


class ObjectGraph:
    """Objects by number, the first of them the root.

    Args:
        nodes: at least the root.
        reader: the reader of the file that holds them.
    """

    def __init__(self, nodes: tuple[ObjectNode, ...], reader: MessageReader) -> None:
        self.nodes = nodes
        self.reader = reader

    def find(self, path: Iterable[str]) -> int | None:
        """Return the number of the object at the end of a path of attributes from the root, or None."""
        node = 0
        for name in path:
            following = self.nodes[node].children.get(name)
            if following is None:
                return None
            node = following
        return node

    def tracked_variables(self) -> dict[str, tuple[int, str]]:
        """Return checkpoint key -> (number of the object, the variable's own name), of a TrackableObjectGraph.

        The name is "" where the file does not tell.
        """
        found: dict[str, tuple[int, str]] = {}
        for number, node in enumerate(self.nodes):
            for attribute in self.reader.messages(node.message, _TRACKED_ATTRIBUTES):
                key = self.reader.text(attribute, _CHECKPOINT_KEY)
                found[key] = (number, self.reader.text(attribute, _FULL_NAME))
        return found

    def saved_variables(self) -> dict[int, str]:
        """Return number of the object -> the variable's own name, of a SavedObjectGraph."""
        found: dict[int, str] = {}
        for number, node in enumerate(self.nodes):
            for variable in self.reader.messages(node.message, _SAVED_VARIABLE):
                found[number] = self.reader.text(variable, _VARIABLE_NAME)
        return found


def read_object_graph(data: bytes, reader: MessageReader) -> ObjectGraph:
    """Read either kind of graph.

    Args:
        data: the message.
        reader: the reader of the file that holds it.

    Raises:
        CheckpointError: no message, no object, or a child that is no object of the graph.
    """
    messages = list(reader.messages(data, 1))
    if not messages:
        raise CheckpointError(f"{reader.where}: its object graph holds no object; copy or download it again")
    nodes = []
    for message in messages:
        children = {}
        for child in reader.messages(message, 1):
            node = reader.number(child, 1)
            if node >= len(messages):
                raise CheckpointError(
                    f"{reader.where}: names object {node} of {len(messages)}; copy or download it again"
                )
            children[reader.text(child, 2)] = node
        nodes.append(ObjectNode(children, message))
    return ObjectGraph(tuple(nodes), reader)


def names_of_keys(keys: Iterable[str], tracked: ObjectGraph | None, saved: ObjectGraph | None) -> dict[str, list[str]]:
    """Return checkpoint key -> what the variable may be called, the most direct source first.

    There are three sources, and each may be absent: the name in the checkpoint's graph; the name of the object at the
    same position in the saved model; the path in the key itself.

    Args:
        keys: names in the tensor bundle.
        tracked: the graph in the checkpoint.
        saved: the graph in saved_model.pb.
    """
    variables = tracked.tracked_variables() if tracked else {}
    saved_names = saved.saved_variables() if saved else {}
    places = _same_places(tracked, saved) if tracked and saved else {}
    names: dict[str, list[str]] = {}
    for key in keys:
        node, own_name = variables.get(key, (None, ""))
        place = places.get(node) if node is not None else saved.find(_path(key)) if saved else None
        candidates = [own_name, saved_names.get(place, "") if place is not None else "", key.partition(_ATTRIBUTES)[0]]
        names[key] = list(dict.fromkeys(name for name in candidates if name))
    return names


def _path(key: str) -> list[str]:
    """Return the attributes in a key; `.S` encodes a slash within one, `..` a dot (trackable_utils.py)."""
    parts = key.partition(_ATTRIBUTES)[0].split("/")
    return [part.replace("..", "\0").replace(".S", "/").replace("\0", ".") for part in parts]


def _same_places(one: ObjectGraph, other: ObjectGraph) -> dict[int, int]:
    """Match the objects of two graphs that the same paths from the root reach."""
    matched = {0: 0}
    waiting = [0]
    while waiting:
        node = waiting.pop()
        there = other.nodes[matched[node]].children
        for name, child in one.nodes[node].children.items():
            if child not in matched and name in there:
                matched[child] = there[name]
                waiting.append(child)
    return matched
