"""An explanation as a page and on a terminal: everything escaped, nothing loaded, readable without colours."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from albertkit.explaining.explanation import Explanation, WordScore
from albertkit.explaining.page import explanation_page, write_page
from albertkit.explaining.terminal import render

TEXT = '<b>bold</b> & [red]dull[/red] "film"'
NASTY = Explanation(
    TEXT,
    "<script>alert(1)</script>",
    "a<b",
    "occlusion",
    0.875,
    [
        WordScore("bold", 3, 7, "text", 0.25),
        WordScore("dull", 19, 23, "text", -0.5),
        WordScore("film", 31, 35, "text", 0.01),
        WordScore("script", 1, 7, "pair", 0.5),
    ],
    unread=3,
)


class Reader(HTMLParser):
    """Collects the tags, and the text of paragraphs."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.paragraphs: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "p":
            self.paragraphs.append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "p"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.paragraphs[-1] += data


def test_the_page_shows_the_texts_as_they_are(tmp_path: Path) -> None:
    path = write_page([NASTY], path=tmp_path / "why.html", title="Why <x> says so")
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    names = {tag for tag, _ in reader.tags}
    assert names <= {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "span", "section"}
    assert not any(name in ("src", "href", "onclick") for _, attributes in reader.tags for name in attributes)
    assert reader.paragraphs[1:3] == [TEXT, NASTY.pair]
    marks = [(a["class"], a["style"], a["title"]) for tag, a in reader.tags if tag == "span" and "title" in a]
    assert marks == [("for", "--a:0.30", "+0.250"), ("against", "--a:0.60", "-0.500"), ("for", "--a:0.60", "+0.500")]
    assert "for: script +0.500, bold +0.250, film +0.010; against: dull -0.500 (occlusion)" in reader.paragraphs[3]
    assert reader.paragraphs[4] == "not read, beyond the longest input: 3 words"


def test_a_value_and_no_words() -> None:
    page = explanation_page([Explanation("", None, None, "gradients", 2.5, [])], title="t")
    assert "<h2>value 2.500</h2>" in page
    assert "no word changes the answer (gradients)" in page


@pytest.mark.parametrize("colours", [None, "standard", "256", "truecolor"])
def test_the_terminal_with_and_without_colours(colours: str | None) -> None:
    file = io.StringIO()
    system = {"color_system": colours, "force_terminal": colours is not None}
    render(NASTY, console=Console(file=file, highlight=False, width=200, **system))  # type: ignore[arg-type]
    lines = file.getvalue().splitlines()
    assert lines[2:] == [
        "  for a<b: script +0.500, bold +0.250, film +0.010",
        "  against a<b: dull -0.500",
        "  not read, beyond the longest input: 3 words",
    ]
    assert ("\x1b[" in lines[0]) == (colours is not None)
    if colours is None:
        assert lines[:2] == ["  " + TEXT, "  <script>alert(1)</script>"]
    if colours == "standard":
        assert "\x1b[30;42mbold\x1b[0m" in lines[0]
        assert "\x1b[30;101mdull\x1b[0m" in lines[0]
