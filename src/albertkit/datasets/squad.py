"""SQuAD 1.1 and 2.0 (Rajpurkar et al., 2016 and 2018), and any file in their layout.

A file is `{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
"answer_start"}], "is_impossible"}]}]}]}`; only version 2 has `is_impossible`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from albertkit.data.examples import Answer, SpanExample
from albertkit.datasets.answers import checked_answers, find_answer
from albertkit.datasets.archive import SourceFile
from albertkit.datasets.dataset import STRUCTURED_METRICS, Dataset, DataSource, with_rows
from albertkit.datasets.json_text import parse_json
from albertkit.datasets.published import find_published
from albertkit.datasets.rows import BadRows, RowWarnings, checked_text, decode_text
from albertkit.errors import DataError

TASK = "question_answering"
FILES: Mapping[str, Mapping[str, str]] = {
    "squad/v1": {"train": "train-v1.1.json", "dev": "dev-v1.1.json"},
    "squad/v2": {"train": "train-v2.0.json", "dev": "dev-v2.0.json"},
}
"""Name -> split -> file; the test sets were never published."""
_FOLDERS = (
    "squad", "squad1", "squad1.1", "squad2", "squad2.0", "squadv1", "squadv1.1", "squadv2", "squadv2.0", "v1.1", "v2.0",
    "dataset",
)  # fmt: skip
_MOVED = "answer(s) not at their answer_start, taken from the nearest place where they occur"
_DROPPED = "answer(s) not found in their context and left out; other answers to the question are kept"
_GUESSED = 'answer(s) marked "start_ambiguous": they occur more than once and the file says that their place is a guess'


def open_squad(name: str, *, data_dir: Path | None = None, skip_bad_rows: bool = False) -> DataSource:
    """Open SQuAD; its odd rows are counted and skipped, because they are part of the published files.

    Args:
        name: "squad/v1" or "squad/v2".
        data_dir: the folder with the official JSON files, one that holds it, or an archive of it.
        skip_bad_rows: makes no difference here.

    Raises:
        UsageError: `data_dir` is None.
        DataError: no file of the data set is there.
    """
    del skip_bad_rows
    files = FILES[name]
    found = find_published(
        name,
        data_dir,
        files={split: (file,) for split, file in files.items()},
        folders=_FOLDERS,
        give=f"the folder of {' and '.join(files.values())} (from https://rajpurkar.github.io/SQuAD-explorer/)",
    )
    load = partial(_load, name, found.files)
    return DataSource(name, TASK, (), STRUCTURED_METRICS[TASK], tuple(found.files), load, hint=found.hint)


def _load(name: str, files: Mapping[str, SourceFile], split: str) -> Dataset:
    file = files[split]
    return read_squad(
        file.read(),
        where=file.where,
        empty=Dataset(name, split, TASK, (), STRUCTURED_METRICS[TASK], []),
        unanswerable=name == "squad/v2",
        skip_bad_rows=True,
    )


def read_squad(
    content: bytes,
    *,
    where: str,
    empty: Dataset,
    unanswerable: bool | None = None,
    labelled: bool = True,
    skip_bad_rows: bool = False,
) -> Dataset:
    """Read a file in SQuAD's layout.

    Args:
        content: the whole file.
        where: the file, as a message names it.
        empty: what the split is called, without its rows.
        unanswerable: whether a question may have no answer; if None, where the file is of version 2 or any question
            has `is_impossible`.
        labelled: False leaves the answers unread.
        skip_bad_rows: count questions that cannot be used and continue, instead of an error.

    Raises:
        DataError: not JSON of this layout, or a question cannot be used; the sentence names it.
    """
    articles, version = _articles(content, where)
    bad = BadRows(where, skip=skip_bad_rows)
    questions = list(_questions(articles, bad))
    if unanswerable is None:
        unanswerable = version.removeprefix("v").startswith("2") or any("is_impossible" in row for _, row in questions)
    reader = QuestionReader(where, unanswerable=unanswerable, labelled=labelled, bad=bad)
    for place, row in questions:
        reader.add(place, row)
    return reader.close(empty)


class QuestionReader:
    """Makes examples of the questions of one file, and notes what is odd.

    Args:
        where: the file, as a message names it.
        unanswerable: whether a question may have no answer.
        labelled: whether answers are read.
        bad: collects questions that cannot be used.
    """

    def __init__(self, where: str, *, unanswerable: bool, labelled: bool, bad: BadRows) -> None:
        self._unanswerable, self._labelled, self._bad = unanswerable, labelled, bad
        self._warnings = RowWarnings(where)
        self._ids: set[str] = set()
        self._examples: list[SpanExample] = []

    def add(self, place: str, row: Mapping[str, Any]) -> None:
        """Take a question.

        Args:
            place: the question within the file, e.g. "question 56ddde6b".
            row: its keys `context`, `question`; and, where it has them, `id`, `title`, `answers`, `is_impossible`.
        """
        try:
            self._examples.append(self._example(place, row))
        except ValueError as error:
            self._bad.add(place, str(error))

    def close(self, empty: Dataset) -> Dataset:
        """Return the split with its rows.

        Raises:
            DataError: a question cannot be used and is not to be skipped, or there is none.
        """
        return with_rows(self._examples, empty=empty, bad=self._bad, warnings=self._warnings)

    def _example(self, place: str, row: Mapping[str, Any]) -> SpanExample:
        context = checked_text(row.get("context"), column="context")
        question = checked_text(row.get("question"), column="question")
        for text, what in ((context, "context"), (question, "question")):
            if not text.strip():
                raise ValueError(f"the {what} is empty")
        key = row.get("id")
        if key is not None and (not isinstance(key, str | int) or isinstance(key, bool)):
            raise ValueError(f'"id" is {key!r:.40}, neither a text nor a number')
        name = None if key is None else str(key)
        if name is not None and name in self._ids:
            raise ValueError(f'its id "{name:.60}" is already used; each question needs its own')
        title = row.get("title")
        answers = None
        if self._labelled and row.get("answers") is not None:
            answers = self._answers(place, row, context)
        if name is not None:
            self._ids.add(name)
        return SpanExample(question, context, answers, name, title if isinstance(title, str) else None)

    def _answers(self, place: str, row: Mapping[str, Any], context: str) -> tuple[Answer, ...]:
        given = checked_answers(row["answers"])
        impossible = row.get("is_impossible")
        if impossible and given:
            raise ValueError(f'"is_impossible" is true, but there is an answer ("{given[0][0]:.40}")')
        if not given and (impossible is False or not self._unanswerable):
            says = '"is_impossible" is false, but' if impossible is False else "it is not a file of SQuAD 2.0, and"
            raise ValueError(f"{says} the question has no answer")
        for _ in range(sum(isinstance(one, dict) and bool(one.get("start_ambiguous")) for one in row["answers"])):
            self._warnings.add(_GUESSED, place)
        answers = []
        lost: list[str] = []
        for text, start in given:
            answer = find_answer(context, text=text, start=start)
            if answer is None:
                lost.append(text)
                continue
            answers.append(answer)
            if answer.start != start:
                self._warnings.add(_MOVED, place)
        if lost and not answers:
            raise ValueError(f'its answer "{lost[0]:.60}" is nowhere in the context')
        for _ in lost:
            self._warnings.add(_DROPPED, place)
        return tuple(answers)


def _articles(content: bytes, where: str) -> tuple[list[Any], str]:
    try:
        parsed = parse_json(decode_text(content, where=where))
    except ValueError as error:
        raise DataError(f"{where}: {error}; get a new copy of it") from error
    articles = parsed.get("data") if isinstance(parsed, dict) else None
    if not isinstance(articles, list):
        raise DataError(
            f'{where}: not in the layout of SQuAD, a JSON object whose "data" is a list of articles with "paragraphs"; '
            "one question a line goes into a .jsonl file"
        )
    return articles, str(parsed.get("version", ""))


def _questions(articles: list[Any], bad: BadRows) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, question with its context and title)."""
    for number, article in enumerate(articles, start=1):
        paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
        if not isinstance(paragraphs, list):
            bad.add(f"article {number}", 'no list "paragraphs"')
            continue
        title = article.get("title")
        for index, paragraph in enumerate(paragraphs, start=1):
            place = f"article {number}, paragraph {index}"
            rows = paragraph.get("qas") if isinstance(paragraph, dict) else None
            if not isinstance(rows, list):
                bad.add(place, 'no list "qas"')
                continue
            for count, row in enumerate(rows, start=1):
                if not isinstance(row, dict):
                    bad.add(f"{place}, question {count}", "not a JSON object")
                    continue
                key = row.get("id")
                where = f"{place}, question {count}" if key is None else f"question {key!s:.60}"
                yield where, {**row, "context": paragraph.get("context"), "title": title}
