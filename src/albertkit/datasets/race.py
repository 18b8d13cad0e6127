"""RACE (Lai et al., 2017): English examinations of Chinese middle and high schools, one JSON file for each passage.

The layout is RACE/SPLIT/GROUP/NUMBER.txt, each file `{"id", "article", "questions", "options", "answers"}` with lists
of equal length. The order of the passages is that of the SHA-256 of their places: fixed, and with both groups mixed,
so that any beginning of a split is a fair sample. Questions of one passage stay together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from albertkit.data.examples import ChoiceExample
from albertkit.datasets.archive import ARCHIVES, is_archive, read_members
from albertkit.datasets.choices import make_choice
from albertkit.datasets.dataset import STRUCTURED_METRICS, Dataset, DataSource, hash_order, with_rows
from albertkit.datasets.json_text import parse_json
from albertkit.datasets.rows import BadRows, RowWarnings, decode_text
from albertkit.errors import DataError, UsageError

TASK = "multiple_choice"
GROUPS = ("middle", "high")
_SPLITS = ("train", "dev", "test")
_PASSAGE = re.compile(r"(?:.*/)?((?:train|dev|test)/(?:middle|high)/[^/]+)\.txt")
_MAX_PASSAGE_BYTES = 2**20

Passages = dict[str, Callable[[], bytes]]
"""Place such as "dev/high/10024" -> function that gives the file's content."""


def open_race(name: str, *, data_dir: Path | None = None, skip_bad_rows: bool = False) -> DataSource:
    """Open both groups, or one of them.

    Args:
        name: "race", "race/middle" or "race/high".
        data_dir: the folder RACE, one that holds it, or an archive of it. An archive is read here, in one pass.
        skip_bad_rows: count questions that cannot be used and continue, instead of an error.

    Raises:
        UsageError: `data_dir` is None.
        DataError: `data_dir` is neither such a folder nor an archive.
    """
    if data_dir is None:
        raise UsageError(
            f"{name} does not come with albertkit: give --data-dir with the folder RACE (RACE/train/high/*.txt, ...) "
            "or an archive of it; its authors send the address on request (https://www.cs.cmu.edu/~glai1/data/race/)"
        )
    groups = GROUPS if name == "race" else (name.removeprefix("race/"),)
    if is_archive(data_dir) and data_dir.is_file():
        passages = _in_archive(data_dir)
    elif data_dir.is_dir():
        passages = _in_folder(data_dir)
    else:
        state = "is neither a folder nor an archive" if data_dir.exists() else "does not exist"
        raise DataError(f"{data_dir} {state}; give the folder RACE or an archive of it ({', '.join(ARCHIVES)})")
    passages = {place: read for place, read in passages.items() if place.split("/")[1] in groups}
    splits = tuple(split for split in _SPLITS if any(place.startswith(f"{split}/") for place in passages))
    if not splits:
        raise DataError(
            f"{name}: no file such as RACE/train/{groups[-1]}/NUMBER.txt under {data_dir}; give the folder RACE"
        )
    load = partial(_load, name, str(data_dir), passages, skip_bad_rows)
    hint = f" (the folders {data_dir}/SPLIT/{groups[-1]} would be it)"
    return DataSource(name, TASK, (), STRUCTURED_METRICS[TASK], splits, load, hint=hint)


def _in_folder(data_dir: Path) -> Passages:
    places = [data_dir, data_dir / "RACE", *sorted(data_dir.glob("*/RACE"))]
    root = next((path for path in places if any((path / split).is_dir() for split in _SPLITS)), data_dir)
    files = (path for split in _SPLITS for group in GROUPS for path in (root / split / group).glob("*.txt"))
    return {path.relative_to(root).with_suffix("").as_posix(): path.read_bytes for path in files}


def _in_archive(archive: Path) -> Passages:
    members = read_members(
        archive, wanted=lambda member: _PASSAGE.fullmatch(str(member)) is not None, max_bytes=_MAX_PASSAGE_BYTES
    )
    passages: Passages = {}
    for member, content in members:
        match = _PASSAGE.fullmatch(str(member))
        if match is not None:
            passages.setdefault(match.group(1), partial(bytes, content))
    return passages


def _load(name: str, where: str, passages: Passages, skip_bad_rows: bool, split: str) -> Dataset:
    bad = BadRows(where, skip=skip_bad_rows)
    warnings = RowWarnings(where)
    examples: list[ChoiceExample] = []
    for place in hash_order((place for place in passages if place.startswith(f"{split}/")), key=str):
        file = f"{place}.txt"
        try:
            passage = _passage(passages[place](), where=file)
        except (ValueError, DataError) as error:
            bad.add(file, str(error).removeprefix(f"{file}: ").removeprefix(f"{file}, "))
            continue
        examples += _questions(passage, place, bad, warnings)
    empty = Dataset(name, split, TASK, (), STRUCTURED_METRICS[TASK], [])
    return with_rows(examples, empty=empty, bad=bad, warnings=warnings)


def _questions(passage: Mapping[str, Any], place: str, bad: BadRows, warnings: RowWarnings) -> list[ChoiceExample]:
    _, group, number = place.split("/")
    key = str(passage.get("id") or f"{group}{number}.txt")
    answers = passage.get("answers") or []
    labelled = passage.get("answers") is not None
    found = []
    for index, (question, options) in enumerate(zip(passage["questions"], passage["options"], strict=True)):
        row = f"{place}.txt, question {index + 1}"
        try:
            example = make_choice(
                context=passage["article"],
                question=question,
                options=options,
                label=answers[index] if labelled else None,
                labelled=labelled,
                name=f"{key}-{index}",
                group=group,
            )
        except ValueError as error:
            bad.add(row, str(error))
            continue
        if not all(option.strip() for option in example.options):
            warnings.add("question(s) with an empty option, kept as published", row)
        found.append(example)
    return found


def _passage(content: bytes, *, where: str) -> dict[str, Any]:
    """Return the parsed file, its lists checked against each other."""
    passage = parse_json(decode_text(content, where=where))
    if not isinstance(passage, dict):
        raise ValueError(f"a JSON {type(passage).__name__} instead of an object with article, questions and options")
    lists = {key: passage.get(key) for key in ("questions", "options", "answers")}
    if lists["answers"] is None:  # a test file without its key
        del lists["answers"]
    missing = [f'"{key}"' for key, value in lists.items() if not isinstance(value, list)]
    missing += ['"article"'] if not isinstance(passage.get("article"), str) else []
    if missing:
        raise ValueError(f"no {' and '.join(missing)}")
    counts = {key: len(value or ()) for key, value in lists.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"lists of different lengths: {', '.join(f'{n} {key}' for key, n in counts.items())}")
    return passage
