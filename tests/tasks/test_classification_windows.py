"""Windows of long texts: no token is lost, the first one is Google's truncation, and the answer is their mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny import execution, tiny_folder

from albertkit.data.examples import TextExample
from albertkit.errors import CheckpointError, UsageError
from albertkit.inference.predictor import Predictor
from albertkit.models.pretrained import load_model, save_model, with_task_head
from albertkit.tasks.classification import CLASSIFICATION
from albertkit.tasks.classification.head import CLASSIFICATION as OBJECTIVE
from albertkit.tasks.classification.windows import (
    SHORT,
    Windows,
    encode_windows,
    sentence_spans,
    tokenised_parts,
    window_spans,
)
from albertkit.tasks.encoded import unit_logits
from albertkit.text.tokenizer import Tokenizer

WORDS = "the a film plot actor scene story it was is and with of in one two three very quite rather".split()


@given(st.integers(0, 400), st.integers(1, 50), st.integers(1, 60))
def test_windows_cover_every_token_and_are_full(tokens: int, room: int, stride: int) -> None:
    spans = window_spans(tokens, room, windows=Windows(stride, most=1000))
    assert sorted({token for start, end in spans for token in range(start, end)}) == list(range(tokens))
    assert all(end - start == min(room, tokens) for start, end in spans)
    steps = np.diff([start for start, _ in spans])
    assert (steps[:-1] == min(stride, room)).all()
    assert ((steps > 0) & (steps <= room)).all()
    fewer = window_spans(tokens, room, windows=Windows(stride, most=3))
    assert fewer == spans[:3] or (len(fewer) == 3 and len(spans) > 3)


@given(st.lists(st.integers(1, 60), max_size=12), st.integers(1, 50))
def test_sentences_cover_every_token_once(sentences: list[int], room: int) -> None:
    spans = sentence_spans(sentences, room, most=1000)
    assert [token for start, end in spans for token in range(start, end)] == list(range(sum(sentences)))
    assert all(end - start <= room for start, end in spans)
    ends = set(np.cumsum([0, *sentences]).tolist())
    for start, end in spans:  # a cut within a sentence is one that its length forces
        assert end in ends or end - start == room
        inside = [at for at in ends if start < at < end]
        assert not inside or end - start <= max(SHORT, room)
    assert sentence_spans(sentences, room, most=2) == spans[:2]


def test_each_sentence_is_a_sequence() -> None:
    tokenizer = Tokenizer.official()
    first, second = (
        "The plot is thin, but the actors are a joy to watch tonight.",
        "Nobody in this quiet house was ever to know what had happened.",
    )
    text = f"{first}<br /><br />{second}\n"
    encoded = encode_windows(tokenizer, [TextExample(text), TextExample("")], max_length=64, windows=Windows(None))
    singles = tokenizer.sequences([first, second, ""], max_length=64)
    assert encoded.counts.tolist() == [2, 1]
    for own, expected in zip(encoded.sequences, singles, strict=True):
        np.testing.assert_array_equal(own.input_ids, expected.input_ids)
    assert [own.truncated for own in encoded.sequences] == [0, 0, 0]
    (one,) = encode_windows(tokenizer, [TextExample(text)], max_length=64, windows=Windows(None, most=1)).sequences
    assert one.truncated == len(singles[1]) - 2
    # a sentence of letters that the tag before it has, too
    assert tokenised_parts("Fine.<br />br", Windows(None)) == [(0, "Fine."), (11, "br")]
    with pytest.raises(UsageError, match="reads texts by sentence"):
        encode_windows(tokenizer, [TextExample("a", "b")], max_length=64, windows=Windows(None))


def _text(count: int, *, seed: int) -> str:
    return " ".join(np.random.RandomState(seed).choice(WORDS, count))


@pytest.mark.parametrize("lengths", [(3, None), (50, None), (0, None), (40, 3), (3, 40), (40, 40), (41, 40), (40, 41)])
@pytest.mark.parametrize("max_length", [3, 4, 16, 17])
def test_the_first_window_is_the_truncation_and_the_longer_part_moves_on(
    lengths: tuple[int, int | None], max_length: int
) -> None:
    tokenizer = Tokenizer.official()
    a, b = lengths
    example = TextExample(_text(a, seed=1), None if b is None else _text(b, seed=2))
    encoded = encode_windows(tokenizer, [example], max_length=max_length, windows=Windows(5, most=99))
    (cut,) = CLASSIFICATION.sequences(tokenizer, [example], max_length=max_length)
    first = encoded.sequences[0]
    np.testing.assert_array_equal(first.input_ids, cut.input_ids)
    np.testing.assert_array_equal(first.token_type_ids, cut.token_type_ids)
    assert all(len(sequence) == len(first) <= max_length for sequence in encoded.sequences)
    assert encoded.counts.tolist() == [len(encoded.sequences)]
    if cut.truncated == 0:
        assert len(encoded.sequences) == 1
    ids_a, ids_b = tokenizer.ids_of([example.text, example.pair or ""])
    if b is None:
        unread = 0
    else:  # of the part that is in each window what was cut off is never read; the other is read to its end
        in_first = int((cut.token_type_ids == 0).sum()) - 2, int(cut.token_type_ids.sum()) - 1
        unread = len(ids_b) - in_first[1] if len(ids_a) > len(ids_b) else len(ids_a) - in_first[0]
    if max_length > 4:  # there is room for a token of each part
        assert first.truncated == unread
    assert not any(sequence.truncated for sequence in encoded.sequences[1:])


def test_what_is_beyond_the_last_window_is_counted() -> None:
    tokenizer = Tokenizer.official()
    ids = tokenizer.ids_of([_text(50, seed=1)])[0]
    encoded = encode_windows(tokenizer, [TextExample(_text(50, seed=1))], max_length=12, windows=Windows(6, most=3))
    assert [sequence.truncated for sequence in encoded.sequences] == [len(ids) - 22, 0, 0]
    assert [sequence.input_ids[1:-1].tolist() for sequence in encoded.sequences] == [ids[:10], ids[6:16], ids[12:22]]


def test_the_loss_is_that_of_the_mean_of_the_logits() -> None:
    torch.manual_seed(0)
    rows = torch.randn(6, 3, requires_grad=True)
    targets = torch.tensor([2, 0, 1])
    counts = np.array([1, 3, 2])
    found = OBJECTIVE.losses_of(rows, lengths=np.ones(6, np.int64), counts=counts, targets=targets)
    pooled = torch.stack([part.mean(0) for part in rows.split(counts.tolist())])
    torch.testing.assert_close(found, F.cross_entropy(pooled, targets, reduction="none"))


def _windowed(stride: int = 4, most: int = 8) -> Predictor:
    model = with_task_head(load_model(tiny_folder()), task="classification", labels=("a", "b", "c"), seed=5)
    task = replace(CLASSIFICATION, window_stride=stride, max_windows=most)
    return Predictor(replace(model, task=task, max_length=16), execution=execution())


def test_a_prediction_is_the_mean_of_its_windows() -> None:
    predictor = _windowed()
    examples = [TextExample(_text(40, seed=3)), TextExample("a film"), TextExample(_text(25, seed=4))]
    encoded = predictor.encode(examples)
    assert encoded.counts[1] == 1
    assert encoded.counts[0] > encoded.counts[2] > 1
    each = []
    for sequence in encoded.sequences:  # one at a time, only through torch
        with torch.inference_mode():
            ids = torch.from_numpy(sequence.input_ids)[None]
            pooled = predictor.model.network.encoder(input_ids=ids).pooled_output
            each.append(predictor.model.network.heads["classifier"].eval()(pooled)[0].numpy())
    means = np.stack([part.mean(0) for part in np.split(np.stack(each), encoded.starts[1:])])
    np.testing.assert_allclose(predictor.logits(examples), means, atol=1e-5)
    np.testing.assert_allclose(unit_logits(each, encoded), means, atol=1e-6)


def test_a_saved_model_keeps_its_windows(tmp_path) -> None:  # type: ignore[no-untyped-def]
    predictor = _windowed(stride=6, most=3)
    save_model(predictor.model, tmp_path / "m")
    again = Predictor.load(tmp_path / "m", execution=execution())
    assert again.model.task == predictor.model.task
    text = _text(60, seed=9)
    assert again.predict([text])[0] == predictor.predict([text])[0]
    task = (tmp_path / "m" / "task.json").read_text()
    (tmp_path / "m" / "task.json").write_text(task.replace('"window_stride": 6', '"window_stride": 0'))
    with pytest.raises(CheckpointError, match=r"task.json: window_stride is 0; it must be a whole number of 1 or more"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("values", [(0, 8), (4, 0), (True, 8), (2.5, 8), ("4", 8)])
def test_windows_that_cannot_be(values: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"(window_stride|max_windows) is .*; it must be a whole number of 1 or more"):
        replace(CLASSIFICATION, window_stride=values[0], max_windows=values[1])
