"""Digests: whether a checkpoint's content is what was written, whether a run's inputs are what it started with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import torch
from torch import Tensor

from albertkit.datasets.dataset import Dataset

_ANSWERS = frozenset({"label", "answers", "tags"})
"""Fields of an example that say what is right; its id is no input of the training."""


class _Digest(Protocol):
    def update(self, data: Any, /) -> None: ...


def content_digest(value: Any) -> str:
    """Return the SHA-256 of mappings, lists, numbers, texts and tensors, by what they hold.

    >>> content_digest({"step": 1}) == content_digest({"step": 1.0})
    False
    """
    digest = hashlib.sha256()
    _add(digest, value)
    return digest.hexdigest()


def _add(digest: _Digest, value: Any) -> None:
    if isinstance(value, Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(f"tensor {value.dtype} {list(value.shape)};".encode())
        if len(flat):
            digest.update(flat.view(torch.uint8).numpy().data)
    elif isinstance(value, Mapping):
        digest.update(f"mapping {len(value)};".encode())
        for key, entry in value.items():
            _add(digest, key)
            _add(digest, entry)
    elif isinstance(value, list | tuple):
        digest.update(f"list {len(value)};".encode())
        for entry in value:
            _add(digest, entry)
    else:
        digest.update(f"{type(value).__name__} {value!r};".encode("utf-8", "surrogatepass"))


def texts_digest(texts: Sequence[str]) -> str:
    """Return the SHA-256 of texts, in order.

    >>> texts_digest(["ab", "c"]) == texts_digest(["a", "bc"])
    False
    """
    digest = hashlib.sha256()
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def split_digest(data: Dataset) -> dict[str, Any]:
    """Return number and digests of a split's examples."""
    return {"number": len(data), **examples_digests(data)}


def examples_digests(data: Dataset) -> dict[str, str]:
    """Return the SHA-256 of the texts of a split, and of their answers."""
    texts, answers = hashlib.sha256(), hashlib.sha256()
    for example in data:
        for entry in fields(example):
            if entry.name != "id":
                _add(answers if entry.name in _ANSWERS else texts, getattr(example, entry.name))
    return {"texts": texts.hexdigest(), "labels": answers.hexdigest()}


def input_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a clause for each input that changed; one that was not recorded is skipped.

    >>> input_changes({"labels": ["bad", "good"], "shards": "a3"}, {"labels": ["good", "bad"], "shards": "7b"})
    ['the labels were bad, good and are good, bad', 'the shards changed']
    >>> input_changes({"training examples": {"number": 3, "texts": "a3"}}, {"training examples": {"number": 4}})
    ['there were 3 training examples and are 4']
    """
    changed = []
    for name, value in now.items():
        old = before.get(name)
        if old is None or old == value:
            continue
        if isinstance(value, list) and isinstance(old, list):
            listed = [", ".join(str(entry) for entry in entries) or "none" for entries in (old, value)]
            changed.append(f"the {name} were {listed[0]:.200} and are {listed[1]:.200}")
        elif isinstance(value, Mapping) and isinstance(old, Mapping):
            if old.get("number") != value["number"]:
                changed.append(f"there were {old.get('number')} {name} and are {value['number']}")
            else:
                parts = [part for part in value if old.get(part) != value[part]]
                changed.append(f"the {' and '.join(parts)} of the {name} changed")
        else:
            changed.append(f"the {name} changed")
    return changed
