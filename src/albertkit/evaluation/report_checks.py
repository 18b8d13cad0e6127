"""What may be in a report.json: the kind of every value, so that whoever reads a report need not look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_LARGEST = 1e15  # of a number: beyond it nothing in a report makes sense, and pictures cannot be drawn

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) > _LARGEST


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _score(value: Any) -> bool:
    return value is None or _number(value)


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(entry) for entry in value)


def _mapping_to(check: Check) -> Check:
    return lambda value: isinstance(value, Mapping) and all(check(entry) for entry in value.values())


def _record(**checks: Check) -> Check:
    """Accept a mapping with these keys and no others."""
    return lambda value: (
        isinstance(value, Mapping)
        and value.keys() == checks.keys()
        and all(check(value[name]) for name, check in checks.items())
    )


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _confusion(value: Any) -> bool:
    parts = _record(labels=_list_of(_text), matrix=_list_of(_list_of(_count)))
    return parts(value) and all(len(rows) == len(value["labels"]) for rows in (value["matrix"], *value["matrix"]))


def _interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value))


_COST = _record(parameters=_optional(_count), megabytes=_number, texts_per_second=_number)
_TEACHER = _record(
    model=_text,
    metrics=_mapping_to(_score),
    agreement=_score,
    cost=_COST,
    student=_COST,
    weight=_number,
    temperature=_score,
    labelled=_count,
    unlabelled=_count,
)
_BIN = _record(lower=_number, upper=_number, examples=_count, confidence=_score, accuracy=_score)
_CALIBRATION = _record(
    expected_calibration_error=_number, confidence=_number, accuracy=_number, bins=_list_of(_BIN)
)  # fmt: skip
_WHOLE_BASELINE = _record(name=_text, metrics=_mapping_to(_score), seconds=_score, notes=_list_of(_text))

_VERDICT = _record(
    outcome=_text, sentence=_text, advice=_list_of(_text), metric=_optional(_text), baseline=_optional(_text),
    difference=_score, spread=_score,
)  # fmt: skip


def _baseline(value: Any) -> bool:
    return isinstance(value, Mapping) and _WHOLE_BASELINE({"notes": [], **value})  # notes may be left out


_CANDIDATE = _record(
    name=_text, score=_score, spread=_score, folds=_count, strength=_score, seconds=_number, note=_optional(_text)
)  # fmt: skip
_FEW_SHOT = _record(
    chosen=_text, why=_text, metric=_text, folds=_count, candidates=_list_of(_CANDIDATE),
    baseline=_optional(_CANDIDATE),
)  # fmt: skip


KINDS: Mapping[str, tuple[Check, str]] = {
    "task": (_text, "a text"),
    "data": (_text, "a text"),
    "model": (_text, "a text"),
    "metrics": (_mapping_to(_score), "a mapping of names to numbers"),
    "intervals": (_mapping_to(_interval), "a mapping of names to pairs of numbers"),
    "too_few_examples": (lambda value: isinstance(value, bool), "true or false"),
    "split": (_text, "a text"),
    "best_epoch": (_optional(_count), "a whole number or null"),
    "epochs": (lambda value: isinstance(value, list), "a list"),
    "seconds": (_score, "a number or null"),
    "examples": (_optional(_count), "a whole number or null"),
    "chosen_by": (_optional(_record(split=_text, metric=_text)), "a split and a metric, or null"),
    "examples_by_split": (_mapping_to(_count), "a mapping of splits to counts"),
    "skipped": (_mapping_to(_count), "a mapping of splits to counts"),
    "teacher": (_optional(_TEACHER), "a teacher with its student, or null"),
    "confusion": (_optional(_confusion), "labels with a square matrix of counts, or null"),
    "calibration": (_optional(_CALIBRATION), "a calibration or null"),
    "temperature": (_score, "a number or null"),
    "calibration_before": (_optional(_CALIBRATION), "a calibration or null"),
    "baselines": (_list_of(_baseline), "a list of baselines (name, metrics, seconds, notes)"),
    "verdict": (_optional(_VERDICT), "a verdict (outcome, sentence, advice, ..) or null"),
    "few_shot": (_optional(_FEW_SHOT), "a choice among candidates, or null"),
    "notes": (_list_of(_text), "a list of texts"),
    "environment": (_mapping, "a mapping"),
    "command": (_mapping, "a mapping"),
}
"""Key -> whether a value may be there, and what it is not if not."""

REQUIRED = ("task", "data", "model", "metrics", "split")


def report_problems(values: Any) -> list[str]:
    """Return a clause for each thing that keeps values from being a report."""
    if not isinstance(values, Mapping):
        return [f"it holds a {type(values).__name__}, not a mapping"]
    problems = [f'key "{name}" is missing' for name in REQUIRED if name not in values]
    problems += [f'key "{name!s:.80}" is unknown' for name in values if name not in KINDS]
    problems += [
        f'"{name}" is not {words}'
        for name, (check, words) in KINDS.items()
        if name in values and not check(values[name])
    ]
    if not problems:
        scores = _mapping_to(_mapping_to(_score))
        epochs, best = values.get("epochs", ()), values.get("best_epoch")
        problems += [
            f'"epochs" entry {number} is not a mapping of splits to scores'
            for number, epoch in enumerate(epochs, start=1)
            if not scores(epoch)
        ]
        if best is not None and epochs and not 1 <= best <= len(epochs):
            problems.append(f'"best_epoch" is {best}, but there are {len(epochs)} epochs')
    return problems[:20]
