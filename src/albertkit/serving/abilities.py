"""Abilities: what the loaded model can do, each from a request's texts to a job and from the job's rows to results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.examples import ChoiceExample, SpanExample, TextExample
from albertkit.inference.predictor import Predictor
from albertkit.serving.batching import FloatArray, Job
from albertkit.serving.limits import Limits
from albertkit.serving.refusals import Refusal
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.task import Task

OF_HEAD: Mapping[str, str] = {
    "classifier": "classify",
    "span": "answer",
    "answer": "answer",
    "tags": "tag",
    "choice": "choose",
}
"""Head of a task -> verb; of similarity it is `compare`, which every encoder can."""
_TEXTS = ("text", "pair", "question", "context", "options")
Results = list[dict[str, Any]]


@dataclass(frozen=True)
class Work:
    """A request on its way."""

    job: Job
    """What the model reads."""
    finish: Callable[[Sequence[FloatArray]], Results]
    """From the job's rows to results."""


class Abilities:
    """A model's verbs.

    Args:
        predictor: the model.
        limits: of a request.
    """

    def __init__(self, predictor: Predictor, *, limits: Limits) -> None:
        self.predictor, self.limits = predictor, limits
        self.model = predictor.model
        self.name = Path(self.model.source).name or "the model"  # where it lies is nobody's business
        self.names = _names(predictor)

    def require(self, verb: str) -> None:
        """Refuse what the model cannot do.

        Raises:
            Refusal: 409; its sentence names what it can.
        """
        if verb not in self.names:
            raise Refusal(409, f"this server runs {self.name}, which cannot {verb}; it can {', '.join(self.names)}")

    def size(self, values: Mapping[str, Any]) -> int:
        """Return the characters of a request's texts, see `Limits.check_texts`.

        Args:
            values: the fields of its body.

        Raises:
            Refusal: too many or too long ones.
        """
        fields = {name: values[name] for name in _TEXTS if values.get(name) is not None}
        return self.limits.check_texts(
            {name: [value] if isinstance(value, str) else value for name, value in fields.items()}
        )

    def prepare(self, verb: str, values: Mapping[str, Any]) -> Work:
        """Return the work of a request.

        Args:
            verb: its name.
            values: the fields of its body, whose `size` was found to be allowed.

        Raises:
            Refusal: the model cannot, or the request asks for too much.
            AlbertkitError: texts that cannot be read.
        """
        self.require(verb)
        texts, pairs = values.get("text"), values.get("pair")
        if texts is not None and pairs is not None and len(texts) != len(pairs):
            raise Refusal(422, f'"text" holds {len(texts)} and "pair" {len(pairs)}: give as many of both')
        work: Work = getattr(self, f"_{verb}")(values)
        self.limits.check_tokens(work.job.tokens)
        return work

    def _task(self) -> Task:
        task = self.model.task
        assert task is not None
        return task

    def _predict(self, examples: Sequence[Any], *, cut: bool = True) -> Work:
        """Work of the task's own predictions, the same that `albertkit predict` gives."""
        task, encoded = self._task(), self.predictor.encode(examples)

        def finish(rows: Sequence[FloatArray]) -> Results:
            found = task.predictions(rows, encoded, examples, labels=self.model.labels)
            lost = _cut_by_example(encoded, len(examples)) if cut else None
            return [
                {**one, **({} if lost is None else {"cut_tokens": lost[number]})} for number, one in enumerate(found)
            ]

        return Work(Job(encoded.sequences, "logits"), finish)

    def _classify(self, values: Mapping[str, Any]) -> Work:
        return self._predict([TextExample(*both) for both in _pairs(values)])

    def _answer(self, values: Mapping[str, Any]) -> Work:
        # Each question reads the whole context: counted before its windows are made.
        (context,) = self.model.tokenizer.ids_of([values["context"]], threads=1)
        self.limits.check_tokens(len(context) * len(values["question"]))
        return self._predict([SpanExample(each, values["context"]) for each in values["question"]], cut=False)

    def _tag(self, values: Mapping[str, Any]) -> Work:
        return self._predict([self._task().example_of(each) for each in values["text"]], cut=False)

    def _choose(self, values: Mapping[str, Any]) -> Work:
        return self._predict([ChoiceExample(values["context"], values["question"], tuple(values["options"]))])

    def _explain(self, values: Mapping[str, Any]) -> Work:
        from albertkit.serving.occlusion import explain

        return explain(self.predictor, _pairs(values), label=values.get("label"), limits=self.limits)

    def _fill(self, values: Mapping[str, Any]) -> Work:
        from albertkit.serving.masks import fill

        return fill(self.model, values["text"], top=values["top"])

    def _order(self, values: Mapping[str, Any]) -> Work:
        sequences = self.model.tokenizer.sequences(
            values["text"], values["pair"], max_length=self.model.network.config.max_position_embeddings
        )

        def finish(rows: Sequence[FloatArray]) -> Results:
            # Column 0 is "in order"; a softmax of two is a sigmoid of their difference.
            logits = [row.astype(np.float64) for row in rows]
            shares = [float(0.5 * (1 + np.tanh(0.5 * (row[0] - row[1])))) for row in logits]
            return [
                {"probability_in_order": share, "cut_tokens": one.truncated}
                for share, one in zip(shares, sequences, strict=True)
            ]

        return Work(Job(sequences, "sop_logits"), finish)

    def _embed(self, values: Mapping[str, Any]) -> Work:
        pooling = values.get("pooling") or self.predictor.default_pooling
        job = self._vectors(values["text"], pooling)

        def finish(rows: Sequence[FloatArray]) -> Results:
            return [
                {"vector": self.predictor.vectors_from(row, pooling=pooling).tolist(), "cut_tokens": one.truncated}
                for row, one in zip(rows, job.sequences, strict=True)
            ]

        return Work(job, finish)

    def _compare(self, values: Mapping[str, Any]) -> Work:
        texts, pairs = values["text"], values["pair"]
        if self.model.task is not None and self.model.task.name == "similarity":
            return self._predict([TextExample(*both) for both in _pairs(values)])
        pooling = self.predictor.default_pooling
        job = self._vectors([*texts, *pairs], pooling)

        def finish(rows: Sequence[FloatArray]) -> Results:
            vectors = self.predictor.vectors_from(np.stack(list(rows)), pooling=pooling).astype(np.float64)
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            lost = [one.truncated for one in job.sequences]
            count = len(texts)
            return [
                {
                    "similarity": float(np.clip(vectors[row] @ vectors[count + row], -1, 1)),
                    "cut_tokens": lost[row] + lost[count + row],
                }
                for row in range(count)
            ]

        return Work(job, finish)

    def _tokenize(self, values: Mapping[str, Any]) -> Work:
        # Ids are quickly counted; pieces and offsets, which the answer holds, take twenty times as long.
        texts = [text for pair in _pairs(values) for text in pair if text is not None]
        self.limits.check_tokens(sum(map(len, self.model.tokenizer.ids_of(texts, threads=1))))

        def finish(rows: Sequence[FloatArray]) -> Results:
            del rows
            encodings = [
                self.model.tokenizer.encode(text, pair, specials=values["specials"]) for text, pair in _pairs(values)
            ]
            return [{"ids": one.input_ids, "pieces": one.pieces, "offsets": one.offsets} for one in encodings]

        return Work(Job([], ""), finish)

    def _vectors(self, texts: Sequence[str], pooling: str) -> Job:
        sequences = self.model.tokenizer.sequences(texts, max_length=self.model.max_length)
        if pooling == "pooler":
            return Job(sequences, "pooled_output")

        def keep(number: int, rows: FloatArray) -> FloatArray:
            del number
            pooled: FloatArray = rows[0].copy() if pooling == "cls" else rows.mean(axis=0)
            return pooled

        return Job(sequences, "sequence_output", keep)


def _names(predictor: Predictor) -> tuple[str, ...]:
    model = predictor.model
    names = []
    if model.task is not None and model.task.head in OF_HEAD:
        verb = OF_HEAD[model.task.head]
        names += [verb, "explain"] if verb == "classify" else [verb]
    heads = getattr(model.network, "heads", ()) if hasattr(type(model.network), "forward") else ()  # exported: none
    names += [verb for verb, head in (("fill", "mlm"), ("order", "sop")) if head in heads]
    return (*names, "embed", "compare", "tokenize")


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    texts = values["text"]
    return list(zip(texts, values.get("pair") or [None] * len(texts), strict=True))


def _cut_by_example(encoded: Encoded, examples: int) -> list[int]:
    lost = [0] * examples
    for unit, (start, count) in enumerate(zip(encoded.starts.tolist(), encoded.counts.tolist(), strict=True)):
        own: list[TokenSequence] = encoded.sequences[start : start + count]
        lost[int(encoded.owners[unit])] += sum(one.truncated for one in own)
    return lost
