"""HTML pages in one file each: every text escaped, nothing loaded from elsewhere, light and dark, narrow and wide.

page("Scores", section("Model & data", tag("p", "a < b"), table(["", "accuracy"], [["dev", "84.5"]])))
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --faint: #5f5f5f; --line: #ddd; --panel: #f5f6f8;
  --for: 27, 120, 55; --against: 200, 70, 20; --mark: 0, 114, 178; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #181818; --faint: #a3a3a3; --line: #3a3a3a;
  --panel: #222428; --for: 70, 170, 95; --against: 225, 105, 55; --mark: 70, 150, 215; } }
* { box-sizing: border-box; }
body { font: 16px/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; line-height: 1.3; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
section { border-top: 1px solid var(--line); padding: 1rem 0; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
pre { background: var(--panel); padding: .75rem; border-radius: .3rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.faint { color: var(--faint); font-size: .875rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; font-weight: normal; }
thead th { color: var(--faint); vertical-align: bottom; }
th:first-child, td:first-child, .texts th, .texts td { text-align: left; }
.texts th, .texts td { vertical-align: top; } .texts td { overflow-wrap: anywhere; }
tr.bold > * { font-weight: 600; } tr.faint > * { color: var(--faint); }
figure { margin: 0; } figcaption { color: var(--faint); font-size: .875rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1.5rem; }
.figures svg { width: 100%; height: auto; max-width: 32rem; display: block; }
summary { cursor: pointer; }
@media (max-width: 40rem) { th, td { padding: .3rem .4rem; } }
"""


_NEWLINE = "\n"


class Html(str):
    """Markup, which is not escaped again."""

    __slots__ = ()


def tag(name: str, *content: str, **attributes: str | None) -> Html:
    """Return an element; texts and attributes are escaped.

    >>> tag("p", "a < b", tag("b", "c"), class_="faint")
    '<p class="faint">a &lt; b<b>c</b></p>'

    Args:
        name: name of the element.
        content: texts, and elements made by these functions.
        attributes: a trailing underscore is dropped, others become hyphens; None leaves the attribute out.
    """
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    opened = "".join([name, *(f' {key}="{escape(value)}"' for key, value in named.items())])
    return Html(f"<{opened}>{joined(*content)}</{name}>")


def joined(*content: str) -> Html:
    """Return texts, escaped, and elements one after the other.

    >>> joined("<", Html("<br>"))
    '&lt;<br>'
    """
    return Html("".join(each if isinstance(each, Html) else escape(each) for each in content))


def section(title: str, *content: str) -> Html:
    """Return a section with its heading."""
    return tag("section", tag("h2", title), *content)


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    label: str | None = None,
    bold: Collection[int] = (),
    faint: Collection[int] = (),
    texts: bool = False,
) -> Html:
    """Return a table whose first column names the rows; a wide one scrolls by itself.

    Args:
        columns: headings.
        rows: their cells: texts, or `td` elements.
        label: what a screen reader calls the table.
        bold: numbers of rows to emphasize.
        faint: numbers of rows to show paler.
        texts: whether the cells are texts, which break into lines; otherwise they are numbers.
    """
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = []
    for number, (first, *others) in enumerate(rows):
        kind = "bold" if number in bold else "faint" if number in faint else None
        cells = (each if isinstance(each, Html) else tag("td", each) for each in others)
        body.append(tag("tr", tag("th", first, scope="row"), *cells, class_=kind))
    made = tag("table", tag("thead", head), tag("tbody", *body), class_="texts" if texts else None, aria_label=label)
    return tag("div", made, class_="wide", tabindex="0", role="region", aria_label=label)


def page(title: str, *content: str, style: str = "") -> str:
    """Return the whole page.

    >>> "<script" in page("<script>")
    False

    Args:
        title: title and first heading.
        content: its elements.
        style: more CSS.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}{style}</style>
</head>
<body>
<main>
{tag("h1", title)}
{_NEWLINE.join(map(joined, content))}
</main>
</body>
</html>
"""
