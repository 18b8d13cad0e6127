"""Object graphs: what a key of a TF2 checkpoint is called."""

from __future__ import annotations

import time

import pytest
from tests.checkpoints.tensorflow.saved_models import key_of, message, number, object_graph

from albertkit.checkpoints.tensorflow.object_graph import MessageReader, ObjectGraph, names_of_keys, read_object_graph
from albertkit.errors import CheckpointError

NAMES = ("word_embeddings/embeddings", "pooler_transform/kernel")


def read(data: bytes) -> ObjectGraph:
    return read_object_graph(data, MessageReader("g.pb"))


def test_each_source_of_a_name_alone() -> None:
    tracked, saved = read(object_graph(NAMES, tracked=True)), read(object_graph(NAMES, tracked=False))
    nameless = read(object_graph(NAMES, tracked=True, full_names=False))
    keys = [key_of(0), key_of(1)]
    assert names_of_keys(keys, tracked, None)[key_of(1)] == [NAMES[1], "variables/1"]
    assert names_of_keys(keys, None, saved)[key_of(1)] == [NAMES[1] + ":0", "variables/1"]
    assert names_of_keys(keys, nameless, saved)[key_of(0)] == [NAMES[0] + ":0", "variables/0"]
    assert names_of_keys(keys, tracked, saved)[key_of(0)] == [NAMES[0], NAMES[0] + ":0", "variables/0"]
    assert names_of_keys(keys, None, None)[key_of(0)] == ["variables/0"]
    assert names_of_keys(["bert/pooler/dense/kernel"], tracked, saved) == {
        "bert/pooler/dense/kernel": ["bert/pooler/dense/kernel"]
    }


def test_objects_are_matched_by_their_place_and_not_by_their_number() -> None:
    nameless = read(object_graph(NAMES, tracked=True, full_names=False))
    # The same tree with the two variables in the other order of numbers.
    nodes = [
        message(1, number(1, 1) + message(2, "variables")),
        message(1, number(1, 3) + message(2, "0")) + message(1, number(1, 2) + message(2, "1")),
        message(7, message(6, "second")),
        message(7, message(6, "first")),
    ]
    saved = read(b"".join(message(1, node) for node in nodes))
    assert names_of_keys([key_of(0), key_of(1)], nameless, saved) == {
        key_of(0): ["first", "variables/0"],
        key_of(1): ["second", "variables/1"],
    }


def test_dots_and_slashes_within_an_attribute() -> None:
    nodes = [message(1, number(1, 1) + message(2, "a/b.c.S")), message(7, message(6, "found"))]
    saved = read(b"".join(message(1, node) for node in nodes))
    assert names_of_keys(["a.Sb..c..S/.ATTRIBUTES/VARIABLE_VALUE"], None, saved)[
        "a.Sb..c..S/.ATTRIBUTES/VARIABLE_VALUE"
    ] == ["found", "a.Sb..c..S"]
    assert saved.find(["a/b.c.S"]) == 1
    assert saved.find(["nothing"]) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "holds no object"),
        (message(1, message(1, number(1, 9) + message(2, "x"))), "names object 9 of 1"),
        (message(1, message(1, number(1, 2**63) + message(2, "x"))), "names object 9223372036854775808 of 1"),
        (message(1, message(1, message(2, b"\xff"))), "is not UTF-8"),
        (message(1, number(1, 5)), "a number where a message belongs"),
        (message(1, message(1, message(1, "x"))), "a number is of the wrong kind"),
        (message(1, b"")[:-1] + b"\x09", "the file is cut off or corrupt"),
    ],
)
def test_refusals(data: bytes, problem: str) -> None:
    with pytest.raises(CheckpointError, match=problem):
        read(data)


def test_circles_and_self_references_end() -> None:
    nodes = [
        message(1, number(1, 1) + message(2, "a")) + message(1, number(1, 0) + message(2, "self")),
        message(1, number(1, 0) + message(2, "a")),
    ]
    data = b"".join(message(1, node) for node in nodes)
    assert names_of_keys(["a/a/a/.ATTRIBUTES/V"], read(data), read(data)) == {"a/a/a/.ATTRIBUTES/V": ["a/a/a"]}


def test_millions_of_objects_are_refused_soon() -> None:
    started = time.process_time()
    with pytest.raises(CheckpointError, match="more parts than any ALBERT has"):
        read(message(1, b"") * 3_000_000)
    assert time.process_time() - started < 2
