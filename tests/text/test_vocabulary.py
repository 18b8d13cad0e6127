"""A user's own vocabulary: digits before commas inside words, missing special pieces, other model types."""

from __future__ import annotations

import io
from typing import Any

import pytest
import sentencepiece

from albertkit.errors import CheckpointError
from albertkit.text.tokenizer import Tokenizer
from albertkit.text.vocabulary import Vocabulary


def trained(**options: Any) -> bytes:
    model = io.BytesIO()
    lines = [f"word{number} {number},{number}, and x{number}, too" for number in range(97)] * 3
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=61,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return model.getvalue()


SPECIALS = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": "[CLS],[SEP],[MASK]"}


def test_digit_comma_inside_a_word_gets_no_word_mark() -> None:
    vocabulary = Vocabulary(trained(user_defined_symbols=["7,"], **SPECIALS))
    number = vocabulary.ids(["7,"])[0]
    ids, pieces = vocabulary.digit_comma[number]
    assert pieces == ["7", ","]
    assert ids == vocabulary.ids(pieces)
    assert "".join(vocabulary.split("x7, 7,", digit_comma=True)[1]) == "\u2581x7,\u25817,"


def test_missing_special_piece_is_named() -> None:
    tokenizer = Tokenizer(trained(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1), where="own.model")
    assert tokenizer.tokenize("word 7")
    with pytest.raises(CheckpointError, match=r"own\.model: the vocabulary has no piece \[CLS\]"):
        tokenizer(["word"])


def test_tokenizer_json_wants_a_unigram_model() -> None:
    with pytest.raises(CheckpointError, match=r"type 2, ALBERT's is 1"):
        Tokenizer(trained(model_type="bpe", **SPECIALS)).json_content()


def test_tokenizer_json_of_an_own_vocabulary_gives_the_same_ids() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    import json

    ours = Tokenizer(trained(**SPECIALS))
    theirs = tokenizers.Tokenizer.from_str(json.dumps(ours.json_content()))
    for text in ("word12 3,4, and", "x7, too WORD\u00e9 [", ""):
        assert theirs.encode(text).ids == ours.encode(text).input_ids


def test_a_piece_that_is_not_utf8_is_named() -> None:
    model = trained(**SPECIALS)
    damaged = model.replace("\u2581word".encode(), b"\xff\xff\xffword")
    assert damaged != model
    with pytest.raises(CheckpointError, match=r"piece \d+ is not UTF-8; copy the file again"):
        Tokenizer(damaged).encode("word")


def test_word_marks_behind_the_words_have_offsets() -> None:
    tokenizer = Tokenizer(trained(treat_whitespace_as_suffix=True, **SPECIALS))
    text = "word1 and  TOO"
    encoding = tokenizer.encode(text, specials=False)
    assert encoding.pieces[-1].endswith("\u2581")
    spans = [text[start:end].lower() for start, end in encoding.offsets]
    assert "".join(spans) == "word1andtoo"
    assert spans == [piece.rstrip("\u2581") for piece in encoding.pieces]
