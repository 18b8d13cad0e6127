"""Names of a head's outputs as files hold them: each says something, and no two are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from albertkit.errors import CheckpointError


def label_names(values: Sequence[Any], *, where: str) -> tuple[str, ...]:
    """Return names of outputs as texts; names that differ only in blanks around them count as the same.

    >>> label_names(["no", 1], where="config.json: id2label")
    ('no', '1')

    Args:
        values: the names in the order of the outputs; numbers are written as text.
        where: file and key, for messages.

    Raises:
        CheckpointError: a name that is empty or no text, or one name for two outputs.
    """
    for number, value in enumerate(values):
        if not isinstance(value, str | int | float) or not str(value).strip():
            raise CheckpointError(f"{where}: the name of output {number} is {value!r:.60}; give each output a name")
    names = tuple(str(value) for value in values)
    for name, count in Counter(name.strip() for name in names).most_common(1):
        if count > 1:
            blanks = "" if names.count(name) == count else " (but for blanks around it)"
            raise CheckpointError(
                f'{where} gives the name "{name:.60}"{blanks} to {count} outputs, so their probabilities cannot be '
                "told apart; give each output a name of its own"
            )
    return names


def id2label_names(values: Mapping[str, Any], *, where: str) -> tuple[str, ...] | None:
    """Return the names in the `id2label` of a `config.json`; None where it has none.

    >>> id2label_names({"id2label": {"1": "yes", "0": "no"}}, where="config.json")
    ('no', 'yes')

    Args:
        values: content of the file.
        where: the file, for messages.

    Raises:
        CheckpointError: keys with gaps, or see `label_names`.
    """
    names = values.get("id2label")
    if names is None:
        return None
    if not isinstance(names, dict) or names.keys() != {str(index) for index in range(len(names))}:
        raise CheckpointError(f"{where}: the keys of id2label are not 0, 1, 2, ... without a gap; repair them")
    return label_names([names[str(index)] for index in range(len(names))], where=f"{where}: id2label")


def agreed_labels(in_task: tuple[str, ...], in_config: tuple[str, ...], *, where: str) -> tuple[str, ...]:
    """Return the labels of a model that names them in `task.json` and in `config.json`.

    `LABEL_0`, `LABEL_1` .. in `config.json` is what transformers writes where nobody gave names.

    >>> agreed_labels(("no", "yes"), ("LABEL_0", "LABEL_1"), where="m")
    ('no', 'yes')

    Args:
        in_task: those of `task.json`; empty where it names none.
        in_config: those of `id2label`; empty where there is none.
        where: the model, for messages.

    Raises:
        CheckpointError: both have names and these differ.
    """
    unnamed = tuple(f"LABEL_{index}" for index in range(len(in_config)))
    if not in_task or in_task == in_config:
        return in_config
    if in_config in ((), unnamed) and len(in_task) == (len(in_config) or len(in_task)):
        return in_task
    one, other = (", ".join(names)[:200] for names in (in_task, in_config))
    raise CheckpointError(
        f"{where}: task.json names the labels {one}, and config.json (id2label) {other}; only one of them can be what "
        "the model was trained with: correct the other file"
    )
