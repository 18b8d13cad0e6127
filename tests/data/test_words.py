"""Raw text parted into words."""

from __future__ import annotations

import unicodedata

import pytest

from albertkit.data.words import split_words


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in split_words(text)]


@pytest.mark.parametrize(
    "text, found",
    [
        ("", []),
        (" \t\n\u3000", []),
        ("Lin's 1,000 guitars!", ["Lin", "'", "s", "1", ",", "000", "guitars", "!"]),
        ("GPT-2\u4e2d\u6587 x_y", ["GPT", "-", "2", "\u4e2d", "\u6587", "x_y"]),
        ("caf\u00e9 cafe\u0301s \u20ac5", ["caf\u00e9", "cafe\u0301s", "\u20ac", "5"]),
        ("\u0915\u094d\u092f\u093e \u0939\u0948", ["\u0915\u094d\u092f\u093e", "\u0939\u0948"]),  # vowel signs, virama
        ("\u304b\u3099\u304b", ["\u304b\u3099", "\u304b"]),  # a voicing mark of its own, then a character
        ("a\u200bb\x00", ["a", "\u200b", "b", "\x00"]),
        ("\U0001f600ok", ["\U0001f600", "ok"]),
        ("\u0301x", ["\u0301x"]),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_every_character_but_blanks_is_in_one_word() -> None:
    text = "".join(map(chr, [*range(0x20, 0x3000), *range(0x1F300, 0x1F400)]))
    inside = [False] * len(text)
    for start, end in split_words(text):
        assert start < end
        assert not any(inside[start:end])
        inside[start:end] = [True] * (end - start)
    assert [character for character, known in zip(text, inside, strict=True) if not known] == [
        character for character in text if character.isspace()
    ]


def test_composed_and_decomposed_words_are_as_many() -> None:
    text = "Zo\u00eb, na\u00efve fa\u00e7ade; \u0110\u1ed3ng Vi\u1ec7t"
    assert len(words(unicodedata.normalize("NFD", text))) == len(words(text)) == 7
