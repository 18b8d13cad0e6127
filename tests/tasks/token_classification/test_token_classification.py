"""Tags: which token speaks for a word, windows, places in the text, entities."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from albertkit.data.examples import TokenExample
from albertkit.datasets import open_data
from albertkit.errors import DataError, TextError, UsageError
from albertkit.tasks import TASKS
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.token_classification import (
    IGNORED,
    TOKEN_CLASSIFICATION,
    best_windows,
    one_tag,
    window_spans,
    word_rows,
)
from albertkit.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.official()
LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def tagged(text: str, tags: str | None = None) -> TokenExample:
    """An example with the words of its raw text; `tags` has a number a word."""
    words = TOKEN_CLASSIFICATION.example_of(text).words
    return TokenExample(text, words, None if tags is None else tuple(map(int, tags)))


def perfect(encoded: Encoded, examples: list[TokenExample], *, labels: tuple[str, ...] = LABELS) -> list[np.ndarray]:
    """Logits that say what the targets say."""
    targets = TOKEN_CLASSIFICATION.unit_targets(encoded, examples, num_labels=len(labels))
    return [50 * np.eye(len(labels), dtype=np.float32)[np.maximum(target, 0)] for target in targets]


def test_the_registry_has_it() -> None:
    assert TASKS["token_classification"] is TOKEN_CLASSIFICATION
    assert TOKEN_CLASSIFICATION.num_outputs(LABELS) == 5


def test_the_first_token_of_a_word_speaks_for_it() -> None:
    example = tagged("Wolfgang sang in Salzburg.", "30010")
    encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, [example], max_length=32)
    pieces = TOKENIZER.pieces(encoded.sequences[0].input_ids)
    (detail,) = encoded.details
    assert [pieces[row].strip("\u2581") for row in detail.rows] == ["wolfgang", "sang", "in", "salzburg", "."]
    (target,) = TOKEN_CLASSIFICATION.unit_targets(encoded, [example], num_labels=5)
    assert target[detail.rows].tolist() == [3, 0, 0, 1, 0]
    assert (np.delete(target, detail.rows) == IGNORED).all()


def test_targets_are_where_transformers_puts_them(tmp_path: Path) -> None:
    """Its recipe for words (run_ner.py): the first token of each of `word_ids()`, all others -100."""
    TOKENIZER.save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "albert"}))
    peer = AutoTokenizer.from_pretrained(tmp_path)
    draw = random.Random(5)
    vocabulary = "EU rejects German call to boycott British lamb Peter Blackburn unbelievably Tchaikovsky 1996".split()
    for _ in range(23):
        words = [draw.choice(vocabulary) for _ in range(draw.randint(1, 12))]
        text = " ".join(words)
        example = tagged(text, "".join(str(draw.randrange(5)) for _ in words))
        assert example.tags is not None
        encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, [example], max_length=64)
        (target,) = TOKEN_CLASSIFICATION.unit_targets(encoded, [example], num_labels=5)
        theirs = peer(words, is_split_into_words=True)
        ids = [None, *theirs.word_ids()]
        wanted = [example.tags[now] if now is not None and now != before else IGNORED for before, now in pairwise(ids)]
        assert encoded.sequences[0].input_ids.tolist() == theirs["input_ids"]
        assert target.tolist() == wanted


def test_words_that_share_a_token() -> None:
    # "ab" is one token of the words a and b; c has the rest of the second token, which d begins.
    found, rows = word_rows([(0, 1), (1, 2), (3, 4), (4, 5), (5, 6)], [(0, 2), (3, 3), (3, 5), (5, 6)])
    assert (found.tolist(), rows.tolist()) == ([0, 1, 2, 3, 4], [0, 0, 2, 2, 3])
    # A character that became three tokens (a fraction, say), and a word without a token.
    found, rows = word_rows([(0, 1), (1, 2), (2, 3)], [(0, 1), (0, 1), (0, 1), (2, 3)])
    assert (found.tolist(), rows.tolist()) == ([0, 2], [0, 3])


def test_a_shared_token_is_one_entity_and_learns_its_first_word() -> None:
    example = TokenExample("x**", ((0, 1), (1, 2), (2, 3)), (0, 3, 4))
    encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, [example], max_length=16)
    assert TOKENIZER.pieces(encoded.sequences[0].input_ids)[1:-1] == ["\u2581x", "**"]
    assert encoded.details[0].rows.tolist() == [1, 2, 2]
    (found,) = TOKEN_CLASSIFICATION.predictions(perfect(encoded, [example]), encoded, [example], labels=LABELS)
    assert found["tags"] == ["O", "B-PER", "I-PER"]
    assert [entity["text"] for entity in found["entities"]] == ["**"]


@pytest.mark.parametrize("length", [0, 1, 6, 7, 8, 40, 41])
@pytest.mark.parametrize("overlap", [0, 2, 5, 9])
def test_windows_cover_a_text(length: int, overlap: int) -> None:
    spans = window_spans(length, size=6, overlap=overlap)
    assert spans[0][0] == 0
    assert spans[-1][1] == length
    assert all(end - start == min(6, length) for start, end in spans)
    assert all(one[1] - other[0] >= min(overlap, 5) and one < other for one, other in pairwise(spans))
    rows = np.arange(length)
    for row, window in zip(rows, best_windows(rows, spans), strict=True):
        contexts = [min(row - start, end - 1 - row) for start, end in spans]
        assert contexts[window] == max(contexts) >= 0


def test_long_texts_are_read_in_windows_and_each_word_is_decided_once() -> None:
    text = " ".join(f"Wolfgang{number} went to Salzburg, unbelievably." for number in range(29))
    examples = [tagged(text, "3001000" * 29), tagged("Ada", "3"), tagged("")]
    examples[2] = TokenExample("", (), ())
    encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, examples, max_length=32)
    assert max(map(len, encoded.sequences)) == 32
    assert len(encoded) > 10
    assert encoded.example_ids.tolist() == [0] * (len(encoded) - 2) + [1, 2]
    decided = np.concatenate([detail.words for detail in encoded.details[:-2]])
    assert decided.tolist() == list(range(29 * 7))
    for detail in encoded.details[
        1:-3
    ]:  # away from the ends of the text a word has an eighth of max_length on each side
        assert detail.rows.min() >= 4
        assert detail.rows.max() <= 31 - 4
    found = TOKEN_CLASSIFICATION.predictions(perfect(encoded, examples), encoded, examples, labels=LABELS)
    for example, row in zip(examples, found, strict=True):
        assert example.tags is not None
        assert row["tags"] == [LABELS[tag] for tag in example.tags]
    assert TOKEN_CLASSIFICATION.score(found, examples, labels=LABELS).metrics["f1"] == 100.0


def test_places_are_those_of_the_text_as_given() -> None:
    text = "  Zoe\u0308 \u00dcnal\u2014na\u00efve \ufb01sh\u00a0in \u5317\u4eac,\u200b "
    text += "\u2460\u00bd \U0001f600 \x00\x01 S\u00e3o  Paulo\n"
    words = TOKEN_CLASSIFICATION.example_of(text).words
    names = [text[start:end] for start, end in words]
    tags = [0] * len(words)
    for name, tag in {"Zoe\u0308": 3, "\u00dcnal": 4, "\u5317": 1, "\u4eac": 2, "S\u00e3o": 1, "Paulo": 2}.items():
        tags[names.index(name)] = tag
    for max_length in (3, 5, 12, 64):
        examples = [TokenExample(text, words, tuple(tags))]
        encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, examples, max_length=max_length)
        (found,) = TOKEN_CLASSIFICATION.predictions(perfect(encoded, examples), encoded, examples, labels=LABELS)
        assert found["words"] == [list(word) for word in words]
        entities = {entity["text"]: entity["type"] for entity in found["entities"]}
        assert entities == {"Zoe\u0308 \u00dcnal": "PER", "\u5317\u4eac": "LOC", "S\u00e3o  Paulo": "LOC"}
        for entity in found["entities"]:
            assert text[entity["start"] : entity["end"]] == entity["text"]
        assert json.loads(json.dumps(found)) == found


def test_words_without_a_token_are_outside() -> None:
    example = tagged("\x7f\u200b", "34")
    encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, [example], max_length=8)
    assert len(encoded.details[0].words) == 0
    (target,) = TOKEN_CLASSIFICATION.unit_targets(encoded, [example], num_labels=5)
    assert (target == IGNORED).all()
    logits = [np.zeros((len(encoded.sequences[0]), 5), np.float32)]
    (found,) = TOKEN_CLASSIFICATION.predictions(logits, encoded, [example], labels=("B-PER", "x", "I-PER", "O", "y"))
    assert found["tags"] == ["O", "O"]
    (found,) = TOKEN_CLASSIFICATION.predictions(logits, encoded, [example], labels=("NN", "VB", "IN", "JJ", "DT"))
    assert (found["tags"], found["entities"]) == (["NN", "NN"], [])


@pytest.mark.parametrize(
    "tags, entities",
    [
        ("B-PER I-PER O B-LOC B-LOC", ["PER Ada Byron", "LOC Rome", "LOC Bonn"]),
        ("I-PER I-PER O I-LOC B-LOC", ["PER Ada Byron", "LOC Rome", "LOC Bonn"]),  # IOB1, or no valid IOB2
        ("B-PER E-PER O S-LOC S-LOC", ["PER Ada Byron", "LOC Rome", "LOC Bonn"]),
        ("B-PER L-PER O U-LOC U-LOC", ["PER Ada Byron", "LOC Rome", "LOC Bonn"]),
        ("B-PER I-LOC O E-LOC I-LOC", ["PER Ada", "LOC Byron", "LOC Rome", "LOC Bonn"]),
    ],
)
def test_entities(tags: str, entities: list[str]) -> None:
    names = tuple(sorted(set(tags.split())))
    example = TokenExample(
        "Ada Byron in Rome Bonn", ((0, 3), (4, 9), (10, 12), (13, 17), (18, 22)), tuple(map(names.index, tags.split()))
    )
    encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, [example], max_length=16)
    logits = perfect(encoded, [example], labels=names)
    (found,) = TOKEN_CLASSIFICATION.predictions(logits, encoded, [example], labels=names)
    assert found["tags"] == tags.split()
    assert [f"{entity['type']} {entity['text']}" for entity in found["entities"]] == entities


def test_probability_is_the_product_over_the_words() -> None:
    example = tagged("Ada Byron")
    encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, [example], max_length=16)
    logits = np.zeros((len(encoded.sequences[0]), 5), np.float32)
    logits[encoded.details[0].rows] = np.log([[0.1, 0.1, 0.1, 0.6, 0.1], [0.05, 0.05, 0.05, 0.05, 0.8]])
    (found,) = TOKEN_CLASSIFICATION.predictions([logits], encoded, [example], labels=LABELS)
    assert found["entities"][0]["probability"] == pytest.approx(0.6 * 0.8)
    logits[encoded.details[0].rows] *= 1e30  # no overflow
    (found,) = TOKEN_CLASSIFICATION.predictions([logits], encoded, [example], labels=LABELS)
    assert found["entities"][0]["probability"] == 1


def test_no_examples() -> None:
    encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, [], max_length=16)
    assert len(encoded) == 0
    assert TOKEN_CLASSIFICATION.unit_targets(encoded, [], num_labels=5) == []
    assert TOKEN_CLASSIFICATION.predictions([], encoded, [], labels=LABELS) == []


def test_refusals() -> None:
    good = tagged("Ada Byron", "34")
    with pytest.raises(UsageError, match="max_length 2 has no room for a token of the text; give at least 3"):
        TOKEN_CLASSIFICATION.encode(TOKENIZER, [good], max_length=2)
    with pytest.raises(TextError, match="lone surrogate"):
        TOKEN_CLASSIFICATION.encode(TOKENIZER, [tagged("a\ud800")], max_length=8)
    encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, [good, good], max_length=8)
    for tags, message in (
        (None, "example 1 has no tags; this split cannot be trained on or scored"),
        ((3,), "example 1 has 1 tags for 2 words"),
        ((3, 5), "example 1 has the tag 5, but there are 5 labels"),
    ):
        with pytest.raises(DataError, match=message):
            TOKEN_CLASSIFICATION.unit_targets(
                encoded, [good, TokenExample(good.text, good.words, tags)], num_labels=len(LABELS)
            )


@pytest.mark.slow
def test_every_word_of_conll_has_a_token(shared: Path) -> None:
    data = open_data("ner", data_dir=shared / "data" / "topics_ner_more.tar.xz").load("test")
    for max_length in (128, 16):
        encoded = TOKEN_CLASSIFICATION.encode(TOKENIZER, data.examples, max_length=max_length)
        logits = perfect(encoded, data.examples, labels=data.labels)
        found = TOKEN_CLASSIFICATION.predictions(logits, encoded, data.examples, labels=data.labels)
        score = TOKEN_CLASSIFICATION.score(found, data.examples, labels=data.labels)
        assert (score.metrics["f1"], score.metrics["accuracy"]) == (100.0, 100.0)


def test_one_tag_for_every_word_is_found() -> None:
    true = ["O"] + ["B-X"] * 22
    assert one_tag([true], [["O"] * 22 + ["B-X"]]) == (
        'The score is hardly better than predicting no entity: 22 of 23 words were tagged "O", but 22 have another tag.'
    )
    assert one_tag([true], [["O"] * 21 + ["B-X"] * 2]) is None
    assert one_tag([], []) is None
    assert one_tag([["O"]], [["O"]]) is None
    words = [["NOUN"] + ["VERB"] * 22]
    assert "is no better than giving every word the same tag: " in (one_tag(words, [["NOUN"] * 23]) or "")
