"""Scores of predictions that are more than a label: answers, tags, choices; and what answers without thought score.

A prediction is what the task's `predictions` gives: `answer` of a question, `tags` of a text, `choice` of a question
with options, `similarity` of a pair.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from albertkit.data.examples import ChoiceExample, SpanExample, TextExample, TokenExample
from albertkit.datasets.dataset import Dataset
from albertkit.errors import UsageError
from albertkit.evaluation.baseline import Baseline
from albertkit.evaluation.choice_metrics import choice_scores
from albertkit.evaluation.intervals import correlation_interval, share_interval
from albertkit.evaluation.metrics import Score
from albertkit.evaluation.null_threshold import words_of
from albertkit.evaluation.similarity_metrics import shared_words, similarity_scores
from albertkit.evaluation.span_metrics import VERSION_OF, span_scores
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
    data: str = "",
) -> Score:
    """Score one prediction an example with the official counting of the task.

    Args:
        task: `question_answering`, `token_classification`, `multiple_choice`, or `regression` of similarities.
        predictions: as the task gives them.
        examples: labelled, in the same order.
        labels: names of the tags.
        metrics: names of those to give, the main one first.
        data: name of the data set; squad/v1 and squad/v2 are scored by their own scripts, whatever the part holds.

    Raises:
        UsageError: an unknown task, or a metric that it does not have.
        DataError: nothing to score.
    """
    if task not in _SCORERS:
        raise UsageError(f'there is no score for the task "{task}"; known: {", ".join(_SCORERS)}')
    score = _SCORERS[task](predictions, examples, labels, data)
    found = score.metrics
    unknown = [name for name in metrics if name not in found]
    if unknown:
        raise UsageError(f'metric "{unknown[0]}" does not fit {task}; use {", ".join(found)}')
    beside = {name: value for name, value in found.items() if "/" in name or name.startswith("best_")}
    chosen = {name: found[name] for name in metrics} | beside
    return Score(chosen, score.notes, {name: score.intervals[name] for name in chosen if name in score.intervals})


def _score_answers(
    predictions: Sequence[Prediction], examples: Sequence[SpanExample], labels: Sequence[str], data: str
) -> Score:
    del labels
    numbered = [replace(example, id=str(number)) for number, example in enumerate(examples)]
    given = {str(number): str(row["answer"]) for number, row in enumerate(predictions)}
    version = VERSION_OF.get(data)
    found = span_scores(numbered, predictions=given, version=version)
    parts = {
        f"{part}/{name}": value
        for part, rows in found.parts.items()
        for name, value in rows.items()
        if name in ("exact", "f1")
    }
    best, notes = _best_scores(numbered, predictions, version) if "NoAns" in found.parts else ({}, ())
    intervals = {name: share_interval(found.metrics[name], len(examples)) for name in ("exact", "f1")}
    return Score({**found.metrics, **best, **parts}, notes, intervals)


def _best_scores(
    numbered: Sequence[SpanExample], predictions: Sequence[Prediction], version: str | None
) -> tuple[dict[str, float], tuple[str, ...]]:
    """What the official script calls best_exact and best_f1: of the words before any threshold, and the odds."""
    if any("no_answer_odds" not in row for row in predictions):
        return {}, ()
    found = span_scores(
        numbered,
        predictions={str(number): words_of(row) for number, row in enumerate(predictions)},
        version=version,
        null_odds={str(number): float(row["no_answer_odds"]) for number, row in enumerate(predictions)},
    )
    thresholds = " and ".join(f"{value:.4g}" for value in found.thresholds.values())
    note = (
        f"best_exact and best_f1 use thresholds ({thresholds}) chosen on the very split that they score; "
        "compare them with published best figures alone"
    )
    return {name: found.metrics[name] for name in ("best_exact", "best_f1")}, (note,)


def _score_tags(
    predictions: Sequence[Prediction], examples: Sequence[TokenExample], labels: Sequence[str], data: str
) -> Score:
    del data
    wanted = [[labels[tag] for tag in example.tags or ()] for example in examples]
    found = tag_scores(wanted, tags_predicted=[list(row["tags"]) for row in predictions], labels=labels)
    return Score(dict(found.metrics), found.notes, found.intervals)


def _score_choices(
    predictions: Sequence[Prediction], examples: Sequence[ChoiceExample], labels: Sequence[str], data: str
) -> Score:
    del labels, data
    found = choice_scores(examples, choices=[row["choice"] for row in predictions])
    parts = found.parts if len(found.parts) > 1 else {}  # one group is all of them
    metrics = {**found.metrics, **{f"{group}/accuracy": row["accuracy"] for group, row in parts.items()}}
    return Score(metrics, intervals={"accuracy": share_interval(found.metrics["accuracy"], len(examples))})


def _score_similarities(
    predictions: Sequence[Prediction], examples: Sequence[TextExample], labels: Sequence[str], data: str
) -> Score:
    del labels, data
    metrics, notes = similarity_scores(examples, predictions)
    intervals = {name: correlation_interval(metrics[name], len(examples)) for name in ("pearson", "spearman")}
    intervals |= {name: share_interval(value, len(examples)) for name, value in metrics.items() if "/" in name}
    return Score(metrics, notes, intervals)


_SCORERS: Mapping[str, Callable[..., Score]] = {
    "question_answering": _score_answers,
    "token_classification": _score_tags,
    "multiple_choice": _score_choices,
    "regression": _score_similarities,  # classifiers' numbers are scored elsewhere
}


def trivial_baselines(train: Dataset, scored: Dataset) -> list[Baseline]:
    """Score answers that need no network, on the split that the run is scored on.

    Questions: the context's first sentence (and, where some have no answer, none at all). Tags: the commonest tag of
    each word in training. Choices: the longest option, and the mean of guessing. Similarities: the words two share.

    Args:
        train: what the run was trained on.
        scored: what it is scored on.
    """
    makers: dict[str, Callable[[], list[Prediction]]] = {}
    examples = scored.examples
    if scored.task == "question_answering":
        questions = scored.of(SpanExample)
        makers["first_sentence"] = lambda: [{"answer": _first_sentence(example.context)} for example in questions]
        if any(not example.answers for example in questions):
            makers["no_answer"] = lambda: [{"answer": ""} for _ in questions]
    elif scored.task == "token_classification":
        makers["commonest_tag_of_each_word"] = lambda: _commonest_tags(train, scored.of(TokenExample))
    elif scored.task == "regression":
        makers["shared_words"] = lambda: shared_words(scored.of(TextExample))
    else:
        makers["longest_option"] = lambda: [
            {"choice": int(np.argmax([len(option) for option in example.options]))}
            for example in scored.of(ChoiceExample)
        ]
    found = []
    for name, make in makers.items():
        started = time.perf_counter()
        score = score_predictions(
            scored.task, make(), examples=examples, labels=scored.labels, metrics=scored.metrics, data=scored.name
        )
        found.append(Baseline(name, score.metrics, time.perf_counter() - started, score.notes))
    if scored.task == "multiple_choice":
        chance = 100 * float(np.mean([1 / len(example.options) for example in scored.of(ChoiceExample)]))
        found.append(Baseline("guessing", {"accuracy": chance}, 0.0))
    return found


def _first_sentence(context: str) -> str:
    ends = [place + 1 for mark in _SENTENCE_ENDS if (place := context.find(mark)) >= 0]
    return context[: min(ends)] if ends else context


def _commonest_tags(train: Dataset, examples: Sequence[TokenExample]) -> list[Prediction]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for example in train.of(TokenExample):
        for (start, end), tag in zip(example.words, example.tags or (), strict=True):
            counts[example.text[start:end]][train.labels[tag]] += 1
            overall[train.labels[tag]] += 1
    commonest = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
    default = overall.most_common(1)[0][0]
    return [
        {"tags": [commonest.get(example.text[start:end], default) for start, end in example.words]}
        for example in examples
    ]
