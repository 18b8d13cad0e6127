"""Windows: they cover every token, cut answers exactly out of the original context, and target what training wants."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from albertkit.data.examples import Answer, SpanExample
from albertkit.errors import DataError, UsageError
from albertkit.tasks.question_answering.metrics import exact_match
from albertkit.tasks.question_answering.windows import Window, context_spans, encode_windows, window_targets
from albertkit.text.tokenizer import Tokenizer

QUESTION = "Where is it?"
WORDS = " ".join(f"word{number} stands here." for number in range(60))

# (context, answer): normalization makes other characters of these than were given, more of them, or fewer.
TORTURE = [
    ("The \ufb01rst of\ufb01ce in Z\u00fcrich", "of\ufb01ce"),  # ligatures: two letters from one character
    ("The \ufb01rst of\ufb01ce in Z\u00fcrich", "Z\u00fcrich"),
    ("in Zu\u0308rich and Cafe\u0301 Ole\u0301 today", "Cafe\u0301 Ole\u0301"),  # combining marks, dropped
    ("a\u0323\u0302\u0301 stacked marks b\u0323\u0302", "b\u0323\u0302"),
    ("\u6771\u4eac \u306f \u65e5\u672c \u306e \u9996\u90fd", "\u65e5\u672c"),  # unknown: a whole word is one piece
    ("\u314e\u3131 \ud55c\uad6d\uc5b4 text", "\ud55c\uad6d\uc5b4"),  # NFKD takes syllables apart
    ("a family \U0001f468\u200d\U0001f469\u200d\U0001f467 here", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
    ("half \u00bd cup, 10\u2075 and \u216b o'clock", "\u00bd"),  # one character becomes three
    ("half \u00bd cup, 10\u2075 and \u216b o'clock", "\u216b"),
    ("full \uff21\uff22\uff23 width", "\uff21\uff22\uff23"),
    ("no\u00a0break  and\ttabs \u2009 thin", "tabs"),
    ("``quoted'' words 'n more", "quoted"),
    (
        "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 end",
        "\u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    ),
    ("price: $1,000,000.50 or \u20ac3", "$1,000,000.50"),
    ("  leading and trailing   ", "trailing"),
    ("\u0130stanbul STRASSE stra\u00dfe", "stra\u00dfe"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.official()


def example(context: str, answer: str | None = None) -> SpanExample:
    if answer is None:
        return SpanExample(QUESTION, context, ())
    return SpanExample(QUESTION, context, (Answer(answer, context.index(answer)),))


def cut(window: Window, context: str, rows: np.ndarray) -> str:
    first, last = rows - window.first_row
    return context[window.starts[first] : window.ends[last]].strip()


@pytest.mark.parametrize(("context", "answer"), TORTURE)
def test_answers_are_cut_out_of_the_original(tokenizer: Tokenizer, context: str, answer: str) -> None:
    examples = [example(context, answer)]
    encoded = encode_windows(tokenizer, examples, max_length=64)
    ((first, last),) = window_targets(encoded, examples)
    assert 0 < first <= last
    assert cut(encoded.details[0], context, np.array([first, last])) == answer


def test_layout_of_a_window(tokenizer: Tokenizer) -> None:
    context = "The house is red."
    (sequence,) = encode_windows(tokenizer, [example(context)], max_length=64).sequences
    (pair,) = tokenizer.sequences([QUESTION], [context])
    assert sequence.input_ids.tolist() == pair.input_ids.tolist()
    assert sequence.token_type_ids.tolist() == pair.token_type_ids.tolist()
    assert sequence.truncated == 0


@pytest.mark.parametrize("max_length", [8, 16, 37, 64, 101, 512])
@pytest.mark.parametrize("stride", [1, 7, 128])
def test_windows_cover_every_token_and_share_their_maximal_context(
    tokenizer: Tokenizer, max_length: int, stride: int
) -> None:
    encoded = encode_windows(tokenizer, [example(WORDS)], max_length=max_length, doc_stride=stride)
    (ids,) = tokenizer.ids_of([WORDS])
    seen = np.zeros(len(ids), np.int64)
    best = np.zeros(len(ids), np.int64)
    for sequence, window in zip(encoded.sequences, encoded.details, strict=True):
        assert len(sequence) <= max_length
        tokens = slice(window.first_token, window.first_token + len(window))
        assert sequence.input_ids[window.first_row : -1].tolist() == ids[tokens]
        seen[tokens] += 1
        best[tokens] += window.max_context
    assert seen.min() >= 1
    assert best.tolist() == [1] * len(ids)
    assert sum(len(window) == 0 for window in encoded.details) == 0


def test_maximal_context_is_that_of_the_official_loop() -> None:
    for tokens, room, stride in [(100, 40, 7), (97, 64, 30), (40, 40, 1), (200, 100, 64)]:
        spans, found = context_spans(tokens, room, stride)
        for position in range(tokens):
            best, owner = -1.0, -1
            for number, (start, end) in enumerate(spans):
                if start <= position < end:
                    score = min(position - start, end - 1 - position) + 0.01 * (end - start)
                    if score > best:
                        best, owner = score, number
            claims = [
                n for n, (start, end) in enumerate(spans) if start <= position < end and found[n][position - start]
            ]
            assert claims == [owner]


def test_windows_of_the_usual_length_are_the_official_ones() -> None:
    room = 384 - 64 - 3
    assert context_spans(700, room, 128)[0] == [(0, 317), (128, 445), (256, 573), (384, 700)]


def test_an_answer_is_in_the_windows_that_hold_it_whole(tokenizer: Tokenizer) -> None:
    examples = [example(WORDS, "word40 stands here"), example(WORDS, "word2 stands"), example(WORDS)]
    encoded = encode_windows(tokenizer, examples, max_length=64)
    targets = window_targets(encoded, examples)
    for number, answer in enumerate(["word40 stands here", "word2 stands", None]):
        units = np.flatnonzero(encoded.example_ids == number)
        held = [unit for unit in units if targets[unit].any()]
        assert len(units) > 3
        assert (len(held) > 0) == (answer is not None)
        for unit in held:
            assert cut(encoded.details[unit], WORDS, targets[unit]) == answer


def test_the_first_of_several_answers_counts(tokenizer: Tokenizer) -> None:
    both = SpanExample(QUESTION, "red and blue", (Answer("blue", 8), Answer("red", 0)))
    encoded = encode_windows(tokenizer, [both], max_length=64)
    assert cut(encoded.details[0], both.context, window_targets(encoded, [both])[0]) == "blue"


@pytest.mark.parametrize(("question", "context"), [("", "words"), (QUESTION, ""), ("", ""), (QUESTION, " \n ")])
def test_empty_texts_still_have_one_window(tokenizer: Tokenizer, question: str, context: str) -> None:
    examples = [SpanExample(question, context, ())]
    encoded = encode_windows(tokenizer, examples, max_length=64)
    assert len(encoded) == 1
    assert window_targets(encoded, examples).tolist() == [[0, 0]]
    assert (encoded.sequences[0].input_ids == tokenizer.sep_id).sum() == 2


def test_a_long_question_is_cut_and_counted(tokenizer: Tokenizer) -> None:
    long = SpanExample("why " * 100, WORDS, ())
    for max_length, kept in [(384, 64), (33, 20)]:
        encoded = encode_windows(tokenizer, [long], max_length=max_length)
        assert {window.first_row for window in encoded.details} == {kept + 2}
        assert {sequence.truncated for sequence in encoded.sequences} == {100 - kept}


def test_what_cannot_be_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="max_length 5 has no room for a question and its context; give at least 8"):
        encode_windows(tokenizer, [example("red")], max_length=5)
    with pytest.raises(UsageError, match="doc_stride is 0"):
        encode_windows(tokenizer, [example("red")], max_length=64, doc_stride=0)
    unknown = [SpanExample(QUESTION, "red", None, id="q7")]
    with pytest.raises(DataError, match="question q7 has no answers"):
        window_targets(encode_windows(tokenizer, unknown, max_length=64), unknown)
    outside = [SpanExample(QUESTION, "red", (Answer("blue", 1),))]
    with pytest.raises(DataError, match="question 0: its answer at characters 1 to 5 is outside the context of 3"):
        window_targets(encode_windows(tokenizer, outside, max_length=64), outside)


@pytest.mark.slow
def test_every_answer_of_squad_can_be_given(tokenizer: Tokenizer, shared: Path, tmp_path: Path) -> None:
    with tarfile.open(shared / "data" / "squad.tar.xz") as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("dev-v1.1.json")]
        archive.extract(name, tmp_path, filter="data")
    articles = json.loads((tmp_path / name).read_text(encoding="utf-8"))["data"]
    examples = [
        SpanExample(row["question"], paragraph["context"], (Answer(one["text"], one["answer_start"]),), row["id"])
        for article in articles
        for paragraph in article["paragraphs"]
        for row in paragraph["qas"]
        for one in row["answers"]
    ]
    assert len(examples) == 34_726
    encoded = encode_windows(tokenizer, examples, max_length=384)
    targets = window_targets(encoded, examples)
    exact = normalized = 0
    inside_a_piece = []
    for number, example_ in enumerate(examples):
        wanted = example_.answers[0].text  # type: ignore[index]
        units = [unit for unit in np.flatnonzero(encoded.example_ids == number) if targets[unit].any()]
        (found,) = {cut(encoded.details[unit], example_.context, targets[unit]) for unit in units}
        if found == wanted:
            exact += 1
        elif exact_match(found, gold=wanted):
            normalized += 1
        else:
            assert wanted in found
            inside_a_piece.append(example_.id)
    # The rest begin or end inside a piece ("Japan" of "Japanese"): no model of this vocabulary can give them.
    assert (exact, normalized, len(inside_a_piece)) == (34_627, 34, 65)
