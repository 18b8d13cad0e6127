"""Scores of predictions that are more than a label: answers, tags, choices; and what answers without thought score.

A prediction is what the task's `predictions` gives: `answer` of a question, `tags` of a text, `choice` of a question
with options.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from albertkit.data.examples import ChoiceExample, SpanExample, TokenExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import UsageError
from albertkit.evaluation.baseline import Baseline
from albertkit.evaluation.choice_metrics import choice_scores
from albertkit.evaluation.metrics import Score
from albertkit.evaluation.span_metrics import span_scores
from albertkit.evaluation.tag_metrics import tag_scores

Prediction = Mapping[str, Any]
_SENTENCE_ENDS = (". ", "? ", "! ")


def score_predictions(
    task: str,
    predictions: Sequence[Prediction],
    *,
    examples: Sequence[Any],
    labels: Sequence[str],
    metrics: Sequence[str],
) -> Score:
    """Score one prediction an example with the official counting of the task.

    Args:
        task: `question_answering`, `token_classification` or `multiple_choice`.
        predictions: as the task gives them.
        examples: labelled, in the same order.
        labels: names of the tags.
        metrics: names of those to give, the main one first.

    Raises:
        UsageError: an unknown task, or a metric that it does not have.
        DataError: nothing to score.
    """
    if task not in _SCORERS:
        raise UsageError(f'there is no score for the task "{task}"; known: {", ".join(_SCORERS)}')
    found, notes = _SCORERS[task](predictions, examples, labels)
    unknown = [name for name in metrics if name not in found]
    if unknown:
        raise UsageError(f'metric "{unknown[0]}" does not fit {task}; use {", ".join(found)}')
    parts = {name: value for name, value in found.items() if "/" in name}
    return Score({name: found[name] for name in metrics} | parts, notes)


def _score_answers(
    predictions: Sequence[Prediction], examples: Sequence[SpanExample], labels: Sequence[str]
) -> tuple[dict[str, float], tuple[str, ...]]:
    del labels
    numbered = [replace(example, id=str(number)) for number, example in enumerate(examples)]
    given = {str(number): str(row["answer"]) for number, row in enumerate(predictions)}
    found = span_scores(numbered, predictions=given)
    parts = {
        f"{part}/{name}": value
        for part, rows in found.parts.items()
        for name, value in rows.items()
        if name in ("exact", "f1")
    }
    return {**found.metrics, **parts}, ()


def _score_tags(
    predictions: Sequence[Prediction], examples: Sequence[TokenExample], labels: Sequence[str]
) -> tuple[dict[str, float], tuple[str, ...]]:
    wanted = [[labels[tag] for tag in example.tags or ()] for example in examples]
    found = tag_scores(wanted, tags_predicted=[list(row["tags"]) for row in predictions])
    return dict(found.metrics), found.notes


def _score_choices(
    predictions: Sequence[Prediction], examples: Sequence[ChoiceExample], labels: Sequence[str]
) -> tuple[dict[str, float], tuple[str, ...]]:
    del labels
    found = choice_scores(examples, choices=[row["choice"] for row in predictions])
    parts = found.parts if len(found.parts) > 1 else {}  # one group is all of them
    return {**found.metrics, **{f"{group}/accuracy": row["accuracy"] for group, row in parts.items()}}, ()


_SCORERS: Mapping[str, Callable[..., tuple[dict[str, float], tuple[str, ...]]]] = {
    "question_answering": _score_answers,
    "token_classification": _score_tags,
    "multiple_choice": _score_choices,
}


def trivial_baselines(train: Dataset, scored: Dataset) -> list[Baseline]:
    """Score answers that need no network, on the split that the run is scored on.

    Questions: the context's first sentence (and, where some have no answer, none at all). Tags: the commonest tag of
    each word in training. Choices: the longest option, and the mean of guessing.

    Args:
        train: what the run was trained on.
        scored: what it is scored on.
    """
    makers: dict[str, Callable[[], list[Prediction]]] = {}
    examples = scored.examples
    if scored.task == "question_answering":
        makers["first_sentence"] = lambda: [{"answer": _first_sentence(example.context)} for example in examples]
        if any(not example.answers for example in examples):
            makers["no_answer"] = lambda: [{"answer": ""} for _ in examples]
    elif scored.task == "token_classification":
        makers["commonest_tag_of_each_word"] = lambda: _commonest_tags(train, examples)
    else:
        makers["longest_option"] = lambda: [
            {"choice": int(np.argmax([len(option) for option in example.options]))} for example in examples
        ]
    found = []
    for name, make in makers.items():
        started = time.perf_counter()
        score = score_predictions(scored.task, make(), examples=examples, labels=scored.labels, metrics=scored.metrics)
        found.append(Baseline(name, score.metrics, time.perf_counter() - started, score.notes))
    if scored.task == "multiple_choice":
        chance = 100 * float(np.mean([1 / len(example.options) for example in examples]))
        found.append(Baseline("guessing", {"accuracy": chance}, 0.0))
    return found


def _first_sentence(context: str) -> str:
    ends = [place + 1 for mark in _SENTENCE_ENDS if (place := context.find(mark)) >= 0]
    return context[: min(ends)] if ends else context


def _commonest_tags(train: Dataset, examples: Sequence[TokenExample]) -> list[Prediction]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for example in train.examples:
        for (start, end), tag in zip(example.words, example.tags or (), strict=True):
            counts[example.text[start:end]][train.labels[tag]] += 1
            overall[train.labels[tag]] += 1
    commonest = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
    default = overall.most_common(1)[0][0]
    return [
        {"tags": [commonest.get(example.text[start:end], default) for start, end in example.words]}
        for example in examples
    ]
