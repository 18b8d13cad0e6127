"""Normalisation against Python's own Unicode functions, and spans that lead back to the original."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.errors import UsageError
from albertkit.text.normalize import _LONG_RUN, MODES, nfkc_casefold, normalization

TEXTS = st.text(
    st.one_of(
        st.sampled_from(
            list(" \t\n\u00a0\u2028\x1caZ.`',\u0301\u0323\u0345\u00e9\ufb01\u0130\u00df\u03a3\u200d\u200b")
        ),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


def google(text: str, *, keep_accents: bool = False) -> str:
    text = " ".join(text.strip().split())
    if not keep_accents:
        text = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in text if not unicodedata.combining(character))
    return text.lower()


@given(TEXTS)
def test_google_is_googles_preprocess_text(text: str) -> None:
    assert MODES["google"].apply(text) == google(text)
    assert normalization("google", keep_accents=True).apply(text) == google(text, keep_accents=True)


@settings(max_examples=300)
@given(st.sampled_from(sorted(MODES)), st.booleans(), TEXTS)
def test_alignment_gives_the_same_text_and_true_spans(mode: str, keep_accents: bool, text: str) -> None:
    steps = normalization(mode, keep_accents=keep_accents)
    aligned = steps.align(text)
    assert aligned.text == steps.apply(text)
    assert len(aligned.starts) == len(aligned.ends) == len(aligned.text)
    assert all(0 <= start < end <= len(text) for _, start, end in zip(*aligned, strict=True))


def test_quotes_belong_to_huggingface_alone() -> None:
    assert MODES["huggingface"].apply("``a''") == '"a"'
    assert MODES["google"].apply("``a''") == "``a''"
    assert MODES["huggingface"].align("x ``a'''") == ('x "a"\'', [0, 1, 2, 4, 5, 7], [1, 2, 4, 5, 7, 8])


@pytest.mark.parametrize(
    "text, result, spans",
    [
        ("  A\t\tb ", "a b", [(2, 3), (3, 5), (5, 6)]),
        ("cafe\u0301!", "cafe!", [(0, 1), (1, 2), (2, 3), (3, 5), (5, 6)]),
        ("\u00bd", "1\u20442", [(0, 1), (0, 1), (0, 1)]),
        ("\u0130x", "ix", [(0, 1), (1, 2)]),
        ("\u0391\u03a3", "\u03b1\u03c2", [(0, 1), (1, 2)]),
        ("a \u0301b", "a b", [(0, 1), (1, 2), (3, 4)]),
    ],
)
def test_worked_spans(text: str, result: str, spans: list[tuple[int, int]]) -> None:
    aligned = MODES["google"].align(text)
    assert aligned.text == result
    assert list(zip(aligned.starts, aligned.ends, strict=True)) == spans


def test_folding_widens_spans_only_where_characters_meet() -> None:
    aligned = MODES["tfhub"].align("Stra\u00dfe \u1100\u1161x")
    assert aligned.text == "strasse \uac00x"
    assert aligned.starts == [0, 1, 2, 3, 4, 4, 5, 6, 7, 9]
    assert aligned.ends == [1, 2, 3, 4, 5, 5, 6, 7, 9, 10]


def test_nfkc_casefold_removes_what_is_not_seen() -> None:
    assert nfkc_casefold("\u00adA\u200dB\ufe0f\u2160") == "abi"


def test_unknown_mode() -> None:
    with pytest.raises(UsageError, match='unknown tokenizer mode "gogle"; did you mean "google"'):
        normalization("gogle")


MARKS = "\u0301\u0323\u0344\u0345\u0f73\u0f81\u3099\uff9e\U0001d165\U0001d16d"
"""Of many combining classes; some decompose, U+0F73 and U+0F81 into marks of two classes, U+FF9E only in NFKD."""


@given(
    text=st.lists(
        st.one_of(
            st.text(st.sampled_from("aZ\u00e9\ufdfa\ud55c "), max_size=3), st.text(st.sampled_from(MARKS), min_size=150)
        ),
        max_size=5,
    ).map("".join)
)
@settings(max_examples=30, deadline=None)
def test_long_runs_of_marks_change_nothing(text: str) -> None:
    assert MODES["google"].apply(text) == google(text)
    assert MODES["google"].align(text).text == google(text)
    tfhub = "".join(mark for mark in unicodedata.normalize("NFD", text) if unicodedata.category(mark) != "Mn")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", tfhub).casefold()).casefold()
    assert MODES["tfhub"].apply(text) == unicodedata.normalize("NFKC", folded)


@pytest.mark.parametrize("run", ["\u0301\u0323", "\u0f73", "\uff9e\u0301", "\U0001d16d\U0001d165"])
@pytest.mark.parametrize("mode", MODES)
def test_marks_in_a_bad_order_take_no_time(mode: str, run: str) -> None:
    # Python's own normalization sorts by insertion: 3 seconds for these, 17 for 100,000 characters.
    text = run * (40_000 // len(run))
    started = time.process_time()
    MODES[mode].apply(text)
    assert time.process_time() - started < 1


def test_no_mark_is_a_letter() -> None:
    found = []
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        if not 0xD800 <= number < 0xE000 and all(map(unicodedata.combining, unicodedata.normalize("NFKD", character))):
            found.append(character)
    assert len(found) > 850  # by Python's Unicode: 877 in 3.10
    assert [character for character in found if not _LONG_RUN.fullmatch(character * 100)] == []
