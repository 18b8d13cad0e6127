"""Sentences of real and hand-written paragraphs; the split ones are lists."""

from __future__ import annotations

import time

import pytest

from albertkit.data.corpus.sentences import split_sentences

PARAGRAPHS = [
    # Jane Austen, Pride and Prejudice
    [
        '"My dear Mr. Bennet," said his lady to him one day, "have you heard that Netherfield Park is let at last?"',
        "Mr. Bennet replied that he had not.",
    ],
    [
        '"But it is," returned she; "for Mrs. Long has just been here, and she told me all about it."',
        "Mr. Bennet made no answer.",
        '"Do you not want to know who has taken it?" cried his wife impatiently.',
    ],
    # Charles Dickens, A Christmas Carol
    [
        "Marley was dead: to begin with.",
        "There is no doubt whatever about that.",
        "The register of his burial was signed by the clergyman, the clerk, the undertaker, and the chief mourner.",
        "Scrooge signed it: and Scrooge's name was good upon 'Change, for anything he chose to put his hand to.",
        "Old Marley was as dead as a door-nail.",
    ],
    # Lewis Carroll
    [
        "\u201cWhat is the use of a book,\u201d thought Alice \u201cwithout pictures or conversations?\u201d",
        "So she was considering in her own mind.",
    ],
    [
        "\u2018Curiouser and curiouser!\u2019 cried Alice.",
        "(She was so much surprised.)",
        "\u201cNow!\u201d",
        "Good-bye.",
    ],
    ['"Stop!" he said.', '"Why?"', '"Because."', "Nobody moved..."],
    ["He paid $3.50 at 5 p.m. on Jan. 5, 1901, i.e. on a Saturday.", "It was 0.5 percent.", "See Fig. 3 and pp. 4-5."],
    ["J. R. R. Tolkien and W. H. Auden met in the U.S. Senate.", "Dr. A. B. Jones, Jr. of St. Louis vs. Prof. Lee."],
    ["They moved to the U.S.", "The house was sold by Smith & Co.", "It had apples, pears, etc.", "Then they left."],
    ["It grew in 1984.", "In 1985 it fell.", "Version 2.0 came.", "Was it No. 1?", "No.", "It was Vol. II of 3."],
    ["1. The first point.", "2. The second, e.g. this one."],
    ["Wait... what?!", "Really?!", "Yes\u2026 and no.", "So . . . he went."],
    ["See www.example.com.", "Or write to a.b@c.org!", "Use foo.bar() now."],
    ["\u8fd9\u662f\u4e00\u53e5\u3002", "\u8fd9\u662f\u4e8c\u53e5\uff01", "Third."],
    [
        "\u00c9mile came.",
        "\u00c9lodie left.",
        "\u0418\u0432\u0430\u043d \u0443\u0448\u0451\u043b.",
        "\u041e\u043d\u0430 \u0442\u043e\u0436\u0435.",
    ],
    ["[He left.]", '"(They stayed.)"', "\u2014 And I?"],
    ["no capitals here. none at all. so it is one"],
]


@pytest.mark.parametrize("sentences", PARAGRAPHS, ids=lambda sentences: sentences[0][:20])
def test_paragraphs(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences)) == sentences
    assert split_sentences("  " + "  \t".join(sentences) + " \r") == sentences


@pytest.mark.parametrize("text", ["", "  ", "\u3000"])
def test_nothing(text: str) -> None:
    assert split_sentences(text) == []


@pytest.mark.parametrize("text", [".", "...", ". A", "A", "Mr.", "?!", ' " ', "A. ", "\u3002"])
def test_no_character_is_lost(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "text", ["." * 300_000, "?'" * 150_000, "a. " * 100_000, ". " + "(" * 300_000, "A.) " * 75_000]
)
def test_nothing_takes_long(text: str) -> None:
    started = time.process_time()
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
    assert time.process_time() - started < 2
