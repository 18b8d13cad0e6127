"""Pages in one file: everything escaped, well-formed, nothing loaded."""

from __future__ import annotations

from xml.etree import ElementTree

from albertkit.io.html import Html, joined, page, section, table, tag

NASTY = "<script>alert(\"1\")</script> & 'x'"


def parsed(markup: str) -> ElementTree.Element:
    """Read the page as XML; only its head is not."""
    body = markup[markup.index("<body>") : markup.index("</html>")]
    return ElementTree.fromstring(body)


def test_texts_and_attributes_are_escaped_and_elements_are_not() -> None:
    made = page(NASTY, NASTY, section(NASTY, tag("p", NASTY, title=NASTY)), table([NASTY, NASTY], [[NASTY, NASTY]]))
    assert "<script" not in made
    found = [(one.tag, one.text) for one in parsed(made).iter() if one.text and one.text.strip()]
    assert found == [("h1", NASTY), ("h2", NASTY), ("p", NASTY), *[("th", NASTY)] * 3, ("td", NASTY)]
    assert next(parsed(made).iter("p")).get("title") == NASTY
    assert NASTY in "".join(parsed(made).itertext())


def test_a_row_can_be_bold_or_faint_and_a_cell_can_bring_its_own_element() -> None:
    made = table(["", "a"], [["x", "1"], ["y", tag("td", "2", class_="c")], ["z", "3"]], label="L", bold=[0], faint={2})
    rows = ElementTree.fromstring(made).findall(".//tbody/tr")
    assert [row.get("class") for row in rows] == ["bold", None, "faint"]
    assert [[cell.get("class"), cell.text] for row in rows for cell in row.iter("td")] == [
        [None, "1"],
        ["c", "2"],
        [None, "3"],
    ]
    assert ElementTree.fromstring(made).attrib == {
        "class": "wide",
        "tabindex": "0",
        "role": "region",
        "aria-label": "L",
    }


def test_attributes_without_a_value_are_left_out() -> None:
    assert tag("p", class_=None, aria_label="a") == '<p aria-label="a"></p>'
    assert isinstance(joined("a", Html("<br>")), Html)


def test_nothing_is_loaded_from_elsewhere() -> None:
    made = page("t", tag("p", "x"))
    assert not any(word in made for word in ("src=", "href=", "url(", "@import", "http"))
