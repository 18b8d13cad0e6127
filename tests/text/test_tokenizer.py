"""Ids against Google's, TF Hub's and other projects' own; offsets; specials; refusals."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.errors import CheckpointError, TextError, UsageError
from albertkit.text.tokenizer import Tokenizer

TOKENIZERS = {mode: Tokenizer.official(mode=mode) for mode in ("google", "huggingface", "tfhub", "keras", "julia")}
GOOGLE = TOKENIZERS["google"]


def test_ids_equal_googles_and_tf_hubs(golden: dict[str, Any]) -> None:
    texts = [row["text"] for row in golden["texts"]]
    for text, row in zip(texts, golden["texts"], strict=True):
        assert GOOGLE.encode(text, specials=False).input_ids == row["google"], text
        assert TOKENIZERS["tfhub"].encode(text, max_length=128).input_ids == row["tfhub"], text
    for mode, key, cut in (("google", "google", slice(1, -1)), ("tfhub", "tfhub", slice(None))):
        rows = TOKENIZERS[mode].sequences(texts, max_length=128)
        assert [row.input_ids[cut].tolist() for row in rows] == [row[key] for row in golden["texts"]]


def test_ids_equal_all_recorded_ones(shared: Path) -> None:
    rows = json.loads((shared / "golden" / "tokenizer_google.json").read_text(encoding="utf-8"))
    ours = GOOGLE.sequences([row["text"] for row in rows], max_length=None)
    assert [sequence.input_ids[1:-1].tolist() for sequence in ours] == [row["ids"] for row in rows]
    rows = json.loads((shared / "golden" / "tokenizer_tfhub.json").read_text(encoding="utf-8"))
    ours = TOKENIZERS["tfhub"].sequences([row["text"] for row in rows], max_length=128)
    assert [sequence.input_ids.tolist() for sequence in ours] == [row["input_word_ids"] for row in rows]


def test_published_cases(golden: dict[str, Any]) -> None:
    assert len(golden["published"]) == 20
    for case in golden["published"]:
        mode, keep_accents = case.get("mode", "google"), case.get("keep_accents", False)
        tokenizer = Tokenizer.official(mode=mode, keep_accents=keep_accents)
        texts = case.get("pair") or [case["text"]]
        encoding = tokenizer.encode(*texts, specials=case["specials"], allow_special=case.get("allow_special", ()))
        for key, name in (("ids", "input_ids"), ("pieces", "pieces"), ("token_type_ids", "token_type_ids")):
            assert case.get(key, getattr(encoding, name)) == getattr(encoding, name), case["source"]


def test_keras_test_vocabulary(shared: Path) -> None:
    expected = json.loads((shared / "golden" / "published_cases.json").read_text(encoding="utf-8"))["keras_test_vocab"]
    path = shared / "fixtures" / "tfhub2_encoder" / "assets" / "keras_albert_test.spm"
    tokenizer = Tokenizer.from_file(path, mode="keras")
    assert tokenizer.pieces(range(tokenizer.vocab_size)) == expected["pieces"]
    for text, ids in expected["tokenize"].items():
        assert tokenizer.encode(text, specials=False).input_ids == ids
    padded = tokenizer(["the quick brown fox"]).pad(length=8)
    assert padded["input_ids"][0].tolist() == expected["classifier_seq8"]["token_ids"]
    assert padded["attention_mask"][0].tolist() == expected["classifier_seq8"]["padding_mask"]


def test_official_vocabulary_is_the_published_one() -> None:
    assert (GOOGLE.pad_id, GOOGLE.unk_id, GOOGLE.cls_id, GOOGLE.sep_id, GOOGLE.mask_id) == (0, 1, 2, 3, 4)
    assert GOOGLE.vocab_size == 30000
    assert GOOGLE.pieces([14, 29999]) == ["\u2581the", "\u2581eloquent"]
    assert GOOGLE.ids(["\u2581the", "no such piece"]) == [14, 1]
    assert GOOGLE.scores.shape == (30000,)
    assert GOOGLE.scores[14] < 0
    assert len(GOOGLE.vocabulary.digit_comma) == 141


def test_modes_differ_where_their_sources_do() -> None:
    text = "``Caf\u00e9'' 2,and"
    pieces = {mode: tokenizer.tokenize(text) for mode, tokenizer in TOKENIZERS.items()}
    assert pieces["google"][-3:] == ["\u25812", ",", "and"]
    assert pieces["tfhub"][-2:] == ["\u25812,", "and"]
    assert '"' in pieces["huggingface"]
    assert '"' not in pieces["google"]
    assert pieces["keras"] == pieces["julia"]
    assert "``C" in pieces["keras"]  # a run that the vocabulary does not know keeps its characters
    accents = Tokenizer.official(keep_accents=True)
    assert "\u00e9" in "".join(accents.tokenize(text))


@pytest.mark.parametrize("mode", sorted(TOKENIZERS))
def test_offsets_hold_the_characters_of_their_piece(mode: str, torture: list[str], golden: dict[str, Any]) -> None:
    tokenizer = TOKENIZERS[mode]
    for text in torture + [row["text"] for row in golden["texts"]]:
        encoding = tokenizer.encode(text, specials=False)
        for piece, (start, end) in zip(encoding.pieces, encoding.offsets, strict=True):
            characters = text[start:end]
            again = tokenizer.vocabulary.normalize(tokenizer.normalization.apply(characters))[0]
            if piece == "\u2581":
                assert start == end
            elif len(characters) == 1:  # one character may give several pieces
                assert piece.lstrip("\u2581") in again
            else:
                assert piece.lstrip("\u2581") == again.lstrip("\u2581")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("   ", []),
        ("Hello  world", [("\u2581hello", "Hello"), ("\u2581world", "world")]),
        ("\tthe (x)\n", [("\u2581the", "the"), ("\u2581", ""), ("(", "("), ("x", "x"), (")", ")")]),
        ("a cafe\u0301.", [("\u2581a", "a"), ("\u2581cafe", "cafe\u0301"), (".", ".")]),
        ("in 2,and!", [("\u2581in", "in"), ("\u25812", "2"), (",", ","), ("and", "and"), ("!", "!")]),
        ("\ufb01ne day", [("\u2581fine", "\ufb01ne"), ("\u2581day", "day")]),
        ("\uff34\uff28\uff25 \U0001f914", [("\u2581the", "\uff34\uff28\uff25"), ("\u2581", ""), (None, "\U0001f914")]),
        ("the\u200bend", [("\u2581the", "the"), ("\u2581end", "end")]),
    ],
)
def test_worked_offsets(text: str, expected: list[tuple[str | None, str]]) -> None:
    encoding = GOOGLE.encode(text, specials=False)
    found = list(zip(encoding.pieces, (text[start:end] for start, end in encoding.offsets), strict=True))
    assert [
        (piece if piece is not None else found[row][0], part) for row, (piece, part) in enumerate(expected)
    ] == found


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(TOKENIZERS)), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_has_spans_in_order_and_the_same_ids_in_a_batch(mode: str, text: str) -> None:
    tokenizer = TOKENIZERS[mode]
    encoding = tokenizer.encode(text)
    assert encoding.input_ids == tokenizer.sequences([text], max_length=None)[0].input_ids.tolist()
    spans = encoding.offsets[1:-1]
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert spans == sorted(spans)


def test_text_is_text_unless_allowed() -> None:
    assert GOOGLE.mask_id not in GOOGLE.encode("a [MASK] b").input_ids
    encoding = GOOGLE.encode("caf\u00e9 [MASK]. [CLS]", specials=False, allow_special={"[MASK]"})
    assert encoding.input_ids.count(GOOGLE.mask_id) == 1
    assert GOOGLE.cls_id not in encoding.input_ids
    place = encoding.pieces.index("[MASK]")
    assert encoding.offsets[place] == (5, 11)
    assert encoding.offsets[place + 2] == (11, 12)
    with pytest.raises(UsageError, match=r'"\[MASKS\]" is not a special token; did you mean "\[MASK\]"'):
        GOOGLE.encode("a", allow_special={"[MASKS]"})


def test_pairs_truncation_and_its_count() -> None:
    whole = GOOGLE.encode("one two three four five", "six seven")
    assert whole.truncated == 0
    assert whole.offsets[0] == whole.offsets[-1] == (0, 0)
    assert whole.offsets[-3:-1] == [(0, 3), (4, 9)]
    short = GOOGLE.encode("one two three four five", "six seven", max_length=8)
    assert (len(short.input_ids), short.truncated) == (8, 2)
    assert short.pieces.count("[SEP]") == 2
    assert short.token_type_ids == [0, 0, 0, 0, 0, 1, 1, 1]
    sequence = GOOGLE.sequences(["one two three four five"], ["six seven"], max_length=8)[0]
    assert sequence.input_ids.tolist() == short.input_ids
    assert sequence.token_type_ids.tolist() == short.token_type_ids
    bare = GOOGLE.encode("one two", "three", specials=False, max_length=2)
    assert (bare.pieces, bare.token_type_ids, bare.truncated) == (["\u2581one", "\u2581three"], [0, 1], 1)


def test_batch_of_one_text_and_of_many() -> None:
    assert GOOGLE("This is a test").input_ids.tolist() == [2, 48, 25, 21, 1289, 3]
    assert GOOGLE("test", "this").token_type_ids.tolist() == [0, 0, 0, 1, 1]
    texts = np.array(["a test"] * 61)
    assert GOOGLE(texts).lengths.tolist() == [4] * 61
    assert len(GOOGLE([])) == 0


def test_many_texts_with_threads_equal_one_by_one(golden: dict[str, Any]) -> None:
    texts = [row["text"] for row in golden["texts"]]
    rows = GOOGLE.sequences(texts, texts[::-1], max_length=61, threads=2)
    for row, text, pair in zip(rows, texts, texts[::-1], strict=True):
        assert row.input_ids.tolist() == GOOGLE.encode(text, pair, max_length=61).input_ids


def test_decode() -> None:
    ids = GOOGLE.encode("The quick, brown fox (2)!").input_ids
    assert GOOGLE.decode(ids) == "the quick, brown fox (2)!"
    assert GOOGLE.decode(ids, skip_specials=False) == "[CLS] the quick, brown fox (2)![SEP]"
    assert GOOGLE.decode(np.array([2, 14, 1, 3])) == "the<unk>"
    with pytest.raises(UsageError, match="id 30000 is outside the vocabulary, whose ids are 0 to 29999"):
        GOOGLE.decode([30000])


def test_null_characters_and_large_texts() -> None:
    assert GOOGLE.encode("a\x00b", specials=False).offsets == [(0, 1), (1, 2), (2, 3)]
    large = "Hello w\u00f6rld, 2,500 things. " * 11_000
    encoding = GOOGLE.encode(large, specials=False)
    assert len(large) > 290_000
    assert large[slice(*encoding.offsets[-1])] == "."
    assert encoding.offsets[-1][1] == len(large) - 1


@pytest.mark.parametrize("value, shown", [(None, "None"), (float("nan"), "nan"), (b"x", "bytes"), (3, "int")])
def test_refuses_what_is_not_text(value: Any, shown: str) -> None:
    with pytest.raises(TextError, match=r"text 2 \(counted from 0\).*not a string") as caught:
        GOOGLE(["a", "b", value])
    assert shown in str(caught.value)


def test_refuses_lone_surrogates() -> None:
    message = r"text 1 \(counted from 0\), character 3: the lone surrogate U\+D83D"
    with pytest.raises(TextError, match=message):
        GOOGLE.sequences(["fine", "bad\ud83d"])
    with pytest.raises(TextError, match=message):
        GOOGLE.encode("fine", "bad\ud83d")


def test_refuses_unequal_pairs_and_no_room() -> None:
    with pytest.raises(UsageError, match="2 texts and 1 pairs"):
        GOOGLE(["a", "b"], ["c"])
    with pytest.raises(UsageError, match="max_length 1 has no room"):
        GOOGLE(["a"], max_length=1)
    with pytest.raises(UsageError, match="max_length 2 has no room"):
        GOOGLE([], [], max_length=2)


def test_refuses_files_that_are_no_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "spiece.model"
    with pytest.raises(CheckpointError, match=r"spiece\.model: cannot be read"):
        Tokenizer.from_file(path)
    for content in (b"", b"garbage", GOOGLE.vocabulary.model[:1000]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"spiece\.model: not a SentencePiece model"):
            Tokenizer.from_file(path)


def test_goes_to_other_processes() -> None:
    again = pickle.loads(pickle.dumps(TOKENIZERS["tfhub"]))
    assert again.mode == "tfhub"
    assert again.tokenize("Stra\u00dfe") == TOKENIZERS["tfhub"].tokenize("Stra\u00dfe")


def test_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None;"
        "from albertkit.models.tokenizers import load_tokenizer; print(load_tokenizer('albert-nano')('a test').lengths)"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": source}
    )
    assert done.stdout == "[4]\n"


@pytest.mark.parametrize("mode", ["google", "huggingface"])
@given(st.lists(st.text("ab A,1.-'`\"()[CLSEP]\t\n\x0b\x1c\u00a0\u00e9", max_size=24), max_size=5))
def test_many_at_once_equal_one_by_one_whatever_the_spaces(mode: str, texts: list[str]) -> None:
    tokenizer = TOKENIZERS[mode]
    assert tokenizer.ids_of(texts) == [tokenizer.encode(text, specials=False).input_ids for text in texts]
