"""task.json: what is read of it, and one sentence for every value that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from albertkit.errors import CheckpointError, UsageError
from albertkit.models.loaded import EmbeddingSpec, HeadSpec, read_task_values

GOOD: dict[str, Any] = {"task": "classification", "labels": ["a", "b"], "head": {"hidden": [7]}, "max_length": 30}


def test_what_is_read() -> None:
    found = read_task_values({**GOOD, "temperature": 1.5, "data": "toy"}, positions=64, where="m")
    assert (found.labels, found.head, found.max_length) == (("a", "b"), HeadSpec((7,)), 30)
    assert getattr(found.task, "temperature", None) == 1.5
    assert read_task_values({"max_length": 512}, positions=64, where="m").max_length == 64
    vectors = read_task_values({"embedding": {"pooling": "cls", "normalize": True}}, positions=64, where="m")
    assert (vectors.task, vectors.embedding, vectors.max_length) == (None, EmbeddingSpec("cls", normalize=True), 64)


@pytest.mark.parametrize(
    "values, words",
    [
        ({"task": ["classification"]}, "names the task \"\\['classification'\\]\", which is not known"),
        ({"task": None}, 'names the task "None"'),
        ({"labels": {"a": 1}}, "labels is .*not a list of names"),
        ({"labels": ["a", 2]}, "labels is .*not a list of names"),
        ({"head": {"poolinf": "mean"}}, 'the head has the key "poolinf", which is not known here'),
        ({"labels": ["a", "a"]}, 'labels gives the name "a" to 2 outputs'),
        ({"labels": ["a", ""]}, "labels: the name of output 1 is ''"),
        ({"labels": ["a", " a"]}, r'labels gives the name "a" \(but for blanks around it\) to 2 outputs'),
        ({"head": [1]}, "head is .*not a mapping"),
        ({"head": {"hidden": "77"}}, "head is .*not a mapping"),
        ({"head": {"pooling": []}}, "head is .*not a mapping"),
        ({"head": {"hidden": [1] * 1_000_000}}, "head cannot have 1000000 hidden blocks"),
        ({"head": {"hidden": [10**18]}}, "hidden width 1000000000000000000"),
        ({"head": {"hidden": [True]}}, "hidden width True"),
        ({"max_length": float("inf")}, "max_length is inf, not a number of tokens"),
        ({"max_length": "30"}, "max_length is '30'"),
        ({"max_length": 2}, "max_length is 2"),
        ({"temperature": "warm"}, "temperature is 'warm'; it must"),
        ({"window_stride": 1.5}, "window_stride is 1.5"),
        ({"max_windows": [3]}, r"max_windows is \[3\]"),
        ({"embedding": {"pooling": "max", "normalize": True}}, "embedding is .*not a mapping with pooling"),
        ({"embedding": {"pooling": [], "normalize": True}}, "embedding is .*not a mapping with pooling"),
        ({"embedding": "mean"}, "embedding is 'mean'"),
    ],
)
def test_values_that_cannot_be(values: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=f"^m: task.json.*{words}"):
        read_task_values({**GOOD, **values}, positions=64, where="m")


def test_heads_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="hidden width 0; every width must be 1 or more"):
        HeadSpec((7, 0))
