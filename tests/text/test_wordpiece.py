"""WordPiece against Google's code and transformers; its folders; what is refused."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from albertkit.errors import CheckpointError, MissingExtraError, TextError, UsageError
from albertkit.text.directory import read_directory, read_tokenizer_files
from albertkit.text.wordpiece import WordPieceTokenizer

pytest.importorskip("tokenizers")

PIECES = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] \u6211 \u7231 \u5317 \u4eac \u5929 \u5b89 \u95e8 \u3002 \uff0c \uff01 the quick "
    "fox ##es un ##want ##ed runn ##ing , . - ( ) [ ] mask cafe \u00df 100 ##0 \u5143 a ##b 3 \ue001"
).split()
# What google-research/albert tokenization.py (FullTokenizer, at b772393) gives with these pieces: lower-cased, cased.
GOOGLE: list[tuple[str, list[int], list[int]]] = [
    ("\u6211\u7231\u5317\u4eac\u5929\u5b89\u95e8\u3002", [5, 6, 7, 8, 9, 10, 11, 12], [5, 6, 7, 8, 9, 10, 11, 12]),
    (
        "The quick fox, un-wanted (running) FOXES!",
        [15, 16, 17, 24, 19, 26, 1, 27, 22, 23, 28, 17, 18, 1],
        [1, 16, 17, 24, 19, 26, 1, 27, 22, 23, 28, 1, 1],
    ),
    (
        "  1000\u5143\uff0cCaf\u00e9\u0301  cafe\u3000\u6211a\u200bb ",
        [34, 35, 36, 13, 32, 32, 5, 37, 38],
        [34, 35, 36, 13, 1, 32, 5, 37, 38],
    ),
    ("[MASK] a\x00b a\tb\x85a\ufffdb", [29, 31, 30, 37, 38, 37, 1], [29, 1, 30, 37, 38, 37, 1]),
    ("\u00df \u1e9e \U0002b900\u6211\U0002b900a", [33, 33, 1, 5, 1, 37], [33, 1, 1, 5, 1, 37]),
    ("\ue001 3a\ue001", [40, 1], [40, 1]),
    ("unwantedb, \u5317ab\u4eac aaab", [19, 20, 21, 38, 24, 7, 37, 38, 8, 1], [19, 20, 21, 38, 24, 7, 37, 38, 8, 1]),
    ("", [], []),
]
MODEL = "\n".join([*PIECES, ""]).encode()
OURS = WordPieceTokenizer(MODEL)


def test_googles_published_case() -> None:
    pieces = ["[UNK]", "[CLS]", "[SEP]", "want", "##want", "##ed", "wa", "un", "runn", "##ing", ","]
    tokenizer = WordPieceTokenizer("".join(f"{piece}\n" for piece in pieces).encode())
    assert tokenizer.tokenize("UNwant\u00e9d,running") == ["un", "##want", "##ed", ",", "runn", "##ing"]
    assert tokenizer.encode("UNwant\u00e9d,running", specials=False).input_ids == [7, 4, 5, 10, 8, 9]
    assert tokenizer("UNwant\u00e9d,running").input_ids.tolist() == [1, 7, 4, 5, 10, 8, 9, 2]
    assert (tokenizer.vocab_size, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id) == (11, 0, 1, 2)
    with pytest.raises(CheckpointError, match=r"vocab\.txt: the vocabulary has no piece \[MASK\]"):
        tokenizer.mask_id  # noqa: B018


@pytest.mark.parametrize("lower", [True, False])
def test_ids_equal_googles(lower: bool) -> None:
    tokenizer = WordPieceTokenizer(MODEL, lower=lower)
    texts = [row[0] for row in GOOGLE]
    expected = [row[1 if lower else 2] for row in GOOGLE]
    assert [tokenizer.encode(text, specials=False).input_ids for text in texts] == expected
    assert [row.input_ids[1:-1].tolist() for row in tokenizer.sequences(texts)] == expected
    assert [tokenizer.ids(tokenizer.tokenize(text)) for text in texts] == expected


def test_a_word_is_unknown_from_201_characters_on_and_for_transformers_from_101() -> None:
    google = WordPieceTokenizer(b"[UNK]\na\n##a\n")
    theirs = WordPieceTokenizer(b"[UNK]\na\n##a\n", mode="huggingface")
    assert [len(google.tokenize("a" * length)) for length in (100, 101, 200, 201)] == [100, 101, 200, 1]
    assert [len(theirs.tokenize("a" * length)) for length in (100, 101)] == [100, 1]


@pytest.mark.parametrize("lower", [True, False])
def test_mode_huggingface_is_transformers(lower: bool, tmp_path: Path, torture: list[str], golden: Any) -> None:
    transformers = pytest.importorskip("transformers")
    path = tmp_path / "vocab.txt"
    path.write_bytes(MODEL)
    theirs = transformers.BertTokenizerFast(str(path), do_lower_case=lower)
    ours = WordPieceTokenizer.from_file(path, mode="huggingface", lower=lower)
    texts = [
        *torture,
        *(row[0].replace("[MASK]", "[mask") for row in GOOGLE),
        *(row["text"] for row in golden["texts"]),
    ]
    assert theirs(texts)["input_ids"] == [row.input_ids.tolist() for row in ours.sequences(texts)]
    assert theirs(texts[5], texts[6])["token_type_ids"] == ours.encode(texts[5], texts[6]).token_type_ids


@pytest.mark.parametrize("mode", ["google", "huggingface"])
@pytest.mark.parametrize(("lower", "keep_accents"), [(True, False), (True, True), (False, False)])
def test_a_saved_folder_gives_the_same_ids_here_and_in_transformers(
    mode: str, lower: bool, keep_accents: bool, tmp_path: Path, torture: list[str]
) -> None:
    ours = WordPieceTokenizer(MODEL, mode=mode, lower=lower, keep_accents=keep_accents)
    (tmp_path / "spiece.model").touch()  # of an older model: it must not be read instead
    names = ours.save(tmp_path)
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    again = read_directory(tmp_path)
    assert isinstance(again, WordPieceTokenizer)
    assert (again.mode, again.lower, again.keep_accents, again.model) == (mode, lower, keep_accents, MODEL)
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = [*torture, *(row[0].replace("[MASK]", "[mask]") for row in GOOGLE)]
    assert theirs(texts)["input_ids"] == [row.input_ids.tolist() for row in again.sequences(texts)]
    pair = theirs(texts[-2], texts[-3])
    assert pair["input_ids"] == again.encode(texts[-2], texts[-3]).input_ids
    assert pair["token_type_ids"] == again.encode(texts[-2], texts[-3]).token_type_ids
    assert (theirs.mask_token_id, theirs.pad_token_id, theirs.unk_token_id) == (4, 0, 1)


def test_offsets_are_characters_of_the_text_as_given() -> None:
    text = "  \u6211\u7231 Caf\u00e9,\U0001f914running"
    encoding = OURS.encode(text, "a fox")
    shown = [text[start:end] for start, end in encoding.offsets[1:7]]
    assert shown == ["\u6211", "\u7231", "Caf\u00e9", ",", "\U0001f914running", ""]
    assert encoding.pieces[:6] == ["[CLS]", "\u6211", "\u7231", "cafe", ",", "[UNK]"]
    assert encoding.pieces[7:] == ["a", "fox", "[SEP]"]
    assert encoding.offsets[7:] == [(0, 1), (2, 5), (0, 0)]
    assert encoding.token_type_ids == [0] * 7 + [1] * 3


def test_text_is_text_unless_allowed() -> None:
    assert OURS.tokenize("a [MASK] [SEP]") == ["a", "[", "mask", "]", "[", "[UNK]", "]"]
    encoding = OURS.encode("\u6211[MASK]\u4eac [SEP]", specials=False, allow_special={"[MASK]"})
    assert encoding.pieces == ["\u6211", "[MASK]", "\u4eac", "[", "[UNK]", "]"]
    assert encoding.offsets[1:3] == [(1, 7), (7, 8)]
    with pytest.raises(UsageError, match=r'"<pad>" is not a special token'):
        OURS.encode("a", allow_special={"<pad>"})


def test_the_rest_of_the_face() -> None:
    short = OURS.encode("the quick fox running", "\u6211\u7231", max_length=7)
    assert (short.pieces, short.truncated) == (["[CLS]", "the", "quick", "[SEP]", "\u6211", "\u7231", "[SEP]"], 3)
    batch = OURS(["the fox", "\u6211\u7231\u5317"], ["a", "a"], max_length=6)
    assert batch.lengths.tolist() == [6, 6]
    assert OURS.pieces([5, 20]) == ["\u6211", "##want"]
    assert OURS.ids(["\u6211", "no such piece"]) == [5, 1]
    ids = OURS.encode("\u6211\u7231 the running fox\u3002").input_ids
    assert OURS.decode(ids) == "\u6211\u7231 the running fox \u3002"
    assert OURS.decode(ids, skip_specials=False).startswith("[CLS] \u6211\u7231")
    with pytest.raises(UsageError, match="id 41 is outside the vocabulary, whose ids are 0 to 40"):
        OURS.decode([41])
    with pytest.raises(UsageError, match=r"vocab\.txt: WordPiece vocabularies have no scores"):
        OURS.scores  # noqa: B018
    with pytest.raises(TextError, match="text 1"):
        OURS(["a", 3])  # type: ignore[list-item]
    assert pickle.loads(pickle.dumps(OURS)).tokenize("\u6211a") == ["\u6211", "a"]


def test_foreign_folders(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes("\ufeff".encode() + MODEL.replace(b"\n", b"\r\n") + b"\r\n\r\n")
    settings = tmp_path / "tokenizer_config.json"
    tokenizer = read_directory(tmp_path)
    assert isinstance(tokenizer, WordPieceTokenizer)
    assert tokenizer.all_pieces == PIECES
    assert (tokenizer.mode, tokenizer.lower, tokenizer.keep_accents) == ("google", True, False)
    settings.write_text('{"do_lower_case": false}')
    assert not read_directory(tmp_path).lower  # type: ignore[attr-defined]
    settings.write_text('{"do_lower_case": true, "strip_accents": false}')
    assert read_directory(tmp_path).keep_accents
    settings.write_text('{"tokenize_chinese_chars": false}')
    with pytest.raises(CheckpointError, match="tokenize_chinese_chars false is not supported"):
        read_directory(tmp_path)
    settings.unlink()
    with pytest.raises(UsageError, match=r'vocab\.txt: mode "keras" does not work with a WordPiece vocabulary'):
        read_directory(tmp_path, mode="keras")
    elsewhere = tmp_path / "vocab_chinese.txt"
    (tmp_path / "vocab.txt").rename(elsewhere)
    assert read_tokenizer_files({"vocab.txt": elsewhere}).all_pieces == PIECES
    with pytest.raises(CheckpointError, match=r"no tokenizer among added_tokens\.json"):
        read_tokenizer_files({"added_tokens.json": elsewhere})


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", r"no line is \[UNK\]"), (b"\x00\xff", "byte 1 is not UTF-8"), (b"the\nfox\n", r"no line is \[UNK\]")],
)
def test_refuses_what_is_no_vocabulary(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"vocab\.txt: {words}"):
        WordPieceTokenizer.from_file(path)


def test_refuses_a_file_beyond_any_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    with open(path, "wb") as file:
        file.truncate(2**31)  # takes no place on the disk
    with pytest.raises(CheckpointError, match="which no file of a tokenizer has"):
        WordPieceTokenizer.from_file(path)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    tokenizer = WordPieceTokenizer(MODEL)
    assert tokenizer.pieces([5]) == ["\u6211"]
    with pytest.raises(MissingExtraError, match=r"needs tokenizers, .*pip install 'albertkit\[chinese\]'"):
        tokenizer.tokenize("a")


def test_the_recorded_settings_are_json(tmp_path: Path) -> None:
    OURS.save(tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert settings["albertkit"]["mode"] == "google"
    assert (settings["do_lower_case"], settings["strip_accents"], settings["pad_token"]) == (True, True, "[PAD]")
