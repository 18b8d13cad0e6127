"""From an answer's characters to tokens and back: what a prediction says is where it says, in any script."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from albertkit.data.examples import Answer, SpanExample
from albertkit.datasets import load_dataset
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.question_answering import QUESTION_ANSWERING, QUESTION_ANSWERING_NULL
from albertkit.tasks.question_answering.metrics import span_scores
from albertkit.tasks.question_answering.windows import window_targets
from albertkit.text.tokenizer import Tokenizer

TORTURE = {
    "combining marks": "a cafe\u0301 in Zu\u0308rich, s\u0323\u0307 and e\u0301\u0327\u0302 too",
    "marks alone": "\u0301\u0302 begin \u0301 here",
    "ligatures": "the \ufb01rst \ufb02oor o\ufb03ce, \u0132sselmeer and \u01c4ep",
    "full width": "\uff34\uff48\uff45\u3000\uff32\uff25\uff24\u3000house \uff11\uff12\uff13",
    "emoji": "a family \U0001f468\u200d\U0001f469\u200d\U0001f467 and \U0001f44d\U0001f3fd, \U0001f1e9\U0001f1ea won",
    "right to left": "he said \u05e9\u05dc\u05d5\u05dd \u05dd and \u200f\u0645\u0631\u062d\u0628\u0627\u200e left",
    "zero width": "ze\u200bro wi\u200cdth\u2060 jo\ufeffin \u00adsoft",
    "no-break spaces": "10\u00a0000\u202fkm \u2007of\u2028road\u0085here",
    "turkish": "D\u0130YARBAKIR, \u0131s\u0131 and I\u0307stanbul \u0130",
    "hangul": "\u1112\u1161\u11ab\u1100\u1173\u11af \ud55c\uae00 and \u3131\u314f",
    "mathematical": "let \U0001d4d0\U0001d4eb = \U0001d7d9\U0001d7da, \u00bd of x\u00b2, \u2460 \u33a0 \ufdfa",
    "line ends": "one\r\ntwo\r\n\r\nthree\tfour\n",
    "sharp s": "STRASSE stra\u00dfe \u1e9e \ufb05 \u0149 \u1f80",
    "control": "a\x00b\x07c \x7fd \ue000 \uffff e",
    "quotes": "``quoted'' \u201clike\u201d 'this' \u2026",
    "unknown": "\u4e2d\u6587 \u0915\u094d\u0937\u093f \U00013000",
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.official()


def peaked(encoded: Encoded, examples: Sequence[SpanExample]) -> list[np.ndarray]:
    """Logits of a network that knows the answer: 9 at its first and last token."""
    found = []
    for sequence, (start, end) in zip(encoded.sequences, window_targets(encoded, examples), strict=True):
        row = np.zeros((len(sequence), 2), np.float32)
        row[start, 0] = row[end, 1] = 9.0
        found.append(row)
    return found


def cut_exactly(predictions: Sequence, examples: Sequence[SpanExample]) -> None:
    for row, example in zip(predictions, examples, strict=True):
        for entry in (row, *row["n_best"]):
            assert example.context[entry["start"] : entry["end"]] == entry["answer"], example.id


@pytest.mark.parametrize("name", TORTURE)
def test_every_stretch_of_a_hard_text_is_found_again(tokenizer: Tokenizer, name: str) -> None:
    context = TORTURE[name]
    stretches = [(a, b) for a in range(len(context)) for b in range(a + 1, len(context) + 1)]
    examples = [SpanExample("Which?", context, (Answer(context[a:b], a),), str(a)) for a, b in stretches]
    for max_length in (512, 16):
        encoded = QUESTION_ANSWERING.encode(tokenizer, examples, max_length=max_length)
        tokens = encoded.details[0].context
        predictions = QUESTION_ANSWERING.predictions(peaked(encoded, examples), encoded, examples, labels=())
        cut_exactly(predictions, examples)
        if max_length == 512:
            for (a, b), row in zip(stretches, predictions, strict=True):
                covered = tokens.overlapping(a, b)
                if covered is None:
                    continue
                # The tokens that the stretch touches, as whole as they are, less blanks at the ends.
                whole = context[tokens.starts[covered[0]] : tokens.ends[covered[1]]].strip()
                if whole:
                    assert row["answer"] == whole
                    assert context[a:b].strip() in row["answer"] or row["start"] > a or row["end"] < b
    random = np.random.RandomState(3)
    for task in (QUESTION_ANSWERING, QUESTION_ANSWERING_NULL):
        few = examples[:: max(1, len(examples) // 20)]
        encoded = task.encode(tokenizer, few, max_length=16)
        noise = [random.randn(len(sequence), 2).astype(np.float32) for sequence in encoded.sequences]
        cut_exactly(task.predictions(noise, encoded, few, labels=()), few)


@pytest.mark.slow
def test_all_of_squad(shared: Path, tmp_path: Path, tokenizer: Tokenizer) -> None:
    with tarfile.open(shared / "data" / "squad.tar.xz") as archive:
        archive.extractall(tmp_path, members=[m for m in archive if "/dev-" in m.name], filter="data")
    examples = load_dataset("squad/v1", split="dev", data_dir=tmp_path / "squad").examples
    encoded = QUESTION_ANSWERING.encode(tokenizer, examples, max_length=384)
    predictions = QUESTION_ANSWERING.predictions(peaked(encoded, examples), encoded, examples, labels=())
    cut_exactly(predictions, examples)
    given = {row.id: found["answer"] for row, found in zip(examples, predictions, strict=True)}
    right = span_scores(examples, predictions=given)
    assert right.metrics["exact"] > 99.0, right.metrics
    random = np.random.RandomState(3)
    noise = [random.randn(len(sequence), 2).astype(np.float32) for sequence in encoded.sequences]
    cut_exactly(QUESTION_ANSWERING.predictions(noise, encoded, examples, labels=()), examples)
