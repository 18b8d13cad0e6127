"""Capabilities: what the loaded model can do, from a request's texts to work and from the work's answer to results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from albertkit.errors import UsageError, did_you_mean
from albertkit.explaining.occlusion import occluding
from albertkit.explaining.reading import read_example, require_labels
from albertkit.inference.predictor import Predictor
from albertkit.inference.pretraining_predictor import MASK, MaskedText, filling, ordering, read_masks
from albertkit.inference.running import FloatArray, Work
from albertkit.models.loaded import ExportedNetwork
from albertkit.registry import resolve
from albertkit.serving.limits import Limits
from albertkit.serving.refusals import Refusal
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.route import Cut, Route, text_pairs

MOST_MASKS = 64
"""Masks of a request: each has logits over the whole vocabulary."""
_OF_ENCODERS = ("embed", "compare", "tokenize")
Results = list[dict[str, Any]]


class Capabilities:
    """What a model can do.

    Args:
        predictor: the model.
        limits: limits of a request.
    """

    def __init__(self, predictor: Predictor, *, limits: Limits) -> None:
        self.predictor, self.limits = predictor, limits
        self.model = predictor.model
        self.name = Path(self.model.source).name or "the model"  # do not reveal its path
        task = self.model.task
        self.task_route: Route | None = resolve(task.route) if task is not None and task.route else None
        self.names = _names(predictor, self.task_route)

    def require(self, route: str) -> None:
        """Refuse what the model cannot do.

        Raises:
            Refusal: 409; its sentence names what it can.
        """
        if route not in self.names:
            raise Refusal(
                409,
                f"this server runs {self.name}, which does not support {route}; it supports {', '.join(self.names)}",
            )

    def size(self, values: Mapping[str, Any], *, names: Mapping[str, str]) -> int:
        """Return the characters of a request's texts, see `Limits.check_texts`.

        Args:
            values: the fields of its route.
            names: what its client calls them, where the names differ.

        Raises:
            Refusal: too many or too long ones.
        """
        lists = {name: [value] if isinstance(value, str) else value for name, value in values.items()}
        return self.limits.check_texts(
            {
                names.get(name, name): texts
                for name, texts in lists.items()
                if isinstance(texts, list) and all(isinstance(text, str | list) for text in texts)
            }
        )

    def prepare(self, route: str, values: Mapping[str, Any]) -> Work[Results]:
        """Return the work of a request.

        Args:
            route: its name.
            values: its fields, whose `size` was found to be allowed.

        Raises:
            Refusal: the model cannot, or the request asks for too much.
            AlbertkitError: texts that cannot be read.
        """
        self.require(route)
        texts, pairs = values.get("text"), values.get("pair")
        if texts is not None and pairs is not None and len(texts) != len(pairs):
            raise Refusal(422, f'"text" holds {len(texts)} and "pair" {len(pairs)}: give the same number of both')
        if self.task_route is not None and self.task_route.name == route:
            work: Work[Results] = self._predict(self.task_route, values)
        else:
            work = getattr(self, f"_{route}")(values)
        self.limits.check_tokens(work.tokens)
        return work

    def _predict(self, route: Route, values: Mapping[str, Any]) -> Work[Results]:
        """Work of the task's own predictions, the same that `albertkit predict` gives."""
        task = self.model.task
        assert task is not None
        assert route.examples is not None
        if route.repeated is not None:  # counted before the windows are made
            once, times = (values[name] for name in route.repeated)
            (ids,) = self.model.tokenizer.ids_of([once], threads=1)
            self.limits.check_tokens(len(ids) * len(times))
        examples = route.examples(task, values)
        encoded = self.predictor.encode(examples)
        tells_cut = issubclass(route.result, Cut)

        def finish(rows: Sequence[FloatArray]) -> Results:
            found = task.predictions(rows, encoded, examples, labels=self.model.labels)
            lost = _cut_by_example(encoded, len(examples)) if tells_cut else None
            return [
                {**one, **({} if lost is None else {"cut_tokens": lost[number]})} for number, one in enumerate(found)
            ]

        return Work(encoded.sequences, "logits", finish)

    def _explain(self, values: Mapping[str, Any]) -> Work[Results]:
        task, label, labels = require_labels(self.predictor), values.get("label"), self.model.labels
        if label is not None and label not in labels:
            known = f"the labels are {', '.join(labels)}" if labels else "a regression has none"
            raise Refusal(422, f'the field "label" is not a label of the model{did_you_mean(label, labels)} ({known})')
        readings = []
        tokens = 0
        for text, pair in text_pairs(values):
            readings.append(read_example(self.predictor, task.example_of(text, pair)))
            tokens += readings[-1].occluded_tokens
            self.limits.check_tokens(tokens)  # before the copies are made
        return occluding(self.predictor, readings, label=label).then(lambda found: [one.to_dict() for one in found])

    def _fill(self, values: Mapping[str, Any]) -> Work[Results]:
        longest = self.model.config.max_position_embeddings
        texts: list[MaskedText] = []
        for number, text in enumerate(values["text"]):
            if MASK not in text:
                raise Refusal(
                    422,
                    f'text {number} holds no {MASK}; write one where the model should fill in a piece: "a {MASK} of '
                    'tea"',
                )
            texts.append(read_masks(self.model, text))
            if texts[-1].beyond:
                raise Refusal(
                    422, f"text {number}: a {MASK} comes after the {longest} tokens that the model takes; shorten it"
                )
        masks = sum(len(one.positions) for one in texts)
        if masks > MOST_MASKS:
            raise Refusal(
                422, f"there are {masks} {MASK} and the limit per request is {MOST_MASKS}; send several requests"
            )
        return filling(self.model, texts, top=values["top"]).then(
            lambda found: [
                {"masks": [asdict(fill) for fill in fills], "cut_tokens": one.sequence.truncated}
                for one, fills in zip(texts, found, strict=True)
            ]
        )

    def _order(self, values: Mapping[str, Any]) -> Work[Results]:
        work = ordering(self.model, values["text"], values["pair"])
        return work.then(
            lambda shares: [
                {"probability_in_order": share, "cut_tokens": one.truncated}
                for share, one in zip(shares, work.sequences, strict=True)
            ]
        )

    def _embed(self, values: Mapping[str, Any]) -> Work[Results]:
        pooling, dimensions = values.get("pooling") or self.predictor.default_pooling, values.get("dimensions")
        try:
            self.predictor.require_size(dimensions, pooling=pooling, name=self.name)
        except UsageError as error:
            raise Refusal(422, f'the field "dimensions": {error}') from error
        work = self._vectors(values["text"], pooling, dimensions)
        return work.then(
            lambda vectors: [
                {"vector": vector.tolist(), "cut_tokens": one.truncated}
                for vector, one in zip(vectors, work.sequences, strict=True)
            ]
        )

    def _compare(self, values: Mapping[str, Any]) -> Work[Results]:
        pairs = list(zip(values["text"], values["pair"], strict=True))
        rows = {text: row for row, text in enumerate(dict.fromkeys(text for pair in pairs for text in pair))}
        work = self._vectors([*rows], self.predictor.default_pooling)

        def results(found: FloatArray) -> Results:
            vectors = found.astype(np.float64)
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            lost = [one.truncated for one in work.sequences]
            return [
                {
                    "similarity": float(np.clip(vectors[rows[text]] @ vectors[rows[pair]], -1, 1)),
                    "cut_tokens": lost[rows[text]] + lost[rows[pair]],
                }
                for text, pair in pairs
            ]

        return work.then(results)

    def _tokenize(self, values: Mapping[str, Any]) -> Work[Results]:
        # Ids are quickly counted; pieces and offsets, which the answer holds, take twenty times as long.
        texts = [text for pair in text_pairs(values) for text in pair if text is not None]
        self.limits.check_tokens(sum(map(len, self.model.tokenizer.ids_of(texts, threads=1))))

        def finish(rows: Sequence[FloatArray]) -> Results:
            del rows
            encodings = [
                self.model.tokenizer.encode(text, pair, specials=values["specials"])
                for text, pair in text_pairs(values)
            ]
            return [{"ids": one.input_ids, "pieces": one.pieces, "offsets": one.offsets} for one in encodings]

        return Work([], "", finish)

    def _vectors(self, texts: Sequence[Any], pooling: str, dimensions: int | None = None) -> Work[FloatArray]:
        """Work of the vectors of texts, or of their token ids."""
        tokenizer = self.model.tokenizer
        tokenise = tokenizer.sequences if isinstance(texts[0], str) else tokenizer.sequences_of_ids
        sequences = tokenise(texts, max_length=self.model.max_length)

        def vectors(rows: Sequence[FloatArray]) -> FloatArray:
            return self.predictor.vectors_from(np.stack(list(rows)), pooling=pooling, dimensions=dimensions)

        return Work(sequences, pooling, vectors)


def _names(predictor: Predictor, task_route: Route | None) -> tuple[str, ...]:
    model = predictor.model
    names = [] if task_route is None or task_route.name in _OF_ENCODERS else [task_route.name]
    if model.task is not None and model.task.problem_type is not None:
        names.append("explain")
    if not isinstance(model.network_or_export, ExportedNetwork):
        names += [route for route, head in (("fill", "mlm"), ("order", "sop")) if head in model.network.heads]
    return (*names, *_OF_ENCODERS)


def _cut_by_example(encoded: Encoded, examples: int) -> list[int]:
    lost = [one.truncated for one in encoded.sequences]
    example_ids = np.repeat(encoded.example_ids, encoded.counts)
    return [int(count) for count in np.bincount(example_ids, lost, minlength=examples)]
