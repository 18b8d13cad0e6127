"""Explanations as one HTML file: no scripts, nothing loaded from elsewhere, light and dark."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from albertkit.explaining.explanation import Explanation, WordScore
from albertkit.explaining.terminal import strength
from albertkit.io.files import write_text

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --faint: #666; --line: #ddd;
  --for: 27, 120, 55; --against: 200, 70, 20; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #181818; --faint: #9a9a9a; --line: #3a3a3a;
  --for: 70, 170, 95; --against: 225, 105, 55; } }
body { font: 16px/1.8 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 50rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.2rem; } h2 { font-size: 1rem; margin: 0; }
section { border-top: 1px solid var(--line); padding: 1rem 0; }
p { margin: .5rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.facts, .legend, .unread { color: var(--faint); font-size: .85rem; white-space: normal; }
.legend span { color: var(--ink); }
.for, .against { border-radius: .2rem; padding: .1rem .15rem; }
.for { background: rgba(var(--for), var(--a)); }
.against { background: rgba(var(--against), var(--a)); text-decoration: underline dotted;
  text-underline-offset: .25em; }
"""
_STRONGEST = 0.6
"""Opacity of the strongest word's colour: letters stay readable on it in light and dark."""


def explanation_page(explanations: Sequence[Explanation], *, title: str) -> str:
    """Return the page.

    >>> "<script" in explanation_page([], title="<script>")
    False

    Args:
        explanations: one section each, in order.
        title: title of the page.
    """
    sections = "\n".join(map(_section, explanations))
    sample = _STRONGEST
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="legend"><span class="for" style="--a:{sample}">for the label</span> raises it,
<span class="against" style="--a:{sample}">against the label</span> (dotted) lowers it; the stronger the
colour, the more, measured by the strongest word of each text. Rest on a word to see its figure.</p>
{sections}
</body>
</html>
"""


def write_page(explanations: Sequence[Explanation], *, path: str | os.PathLike[str], title: str) -> Path:
    """Write the page atomically and return its path.

    Raises:
        WriteError: the system refused.
    """
    write_text(path, explanation_page(explanations, title=title))
    return Path(path)


def _section(explanation: Explanation) -> str:
    if explanation.label is None:
        head = f"value {explanation.base:.3f}"
    else:
        head = f"{explanation.label} {explanation.base:.1%}"
    parts = [f"<section>\n<h2>{escape(head)}</h2>"]
    for field, text in (("text", explanation.text), ("pair", explanation.pair)):
        if text is not None:
            parts.append(f"<p>{_marked(text, field, explanation)}</p>")
    figures = "; ".join(
        f"{what}: " + ", ".join(f"{escape(word.text)} {word.score:+.3f}" for word in words)
        for what, words in zip(("for", "against"), explanation.strongest(), strict=True)
        if words
    )
    parts.append(f'<p class="facts">{figures or "no word changes the answer"} ({escape(explanation.method)})</p>')
    if explanation.unread:
        parts.append(f'<p class="unread">not read, beyond the longest input: {explanation.unread} words</p>')
    return "\n".join([*parts, "</section>"])


def _marked(text: str, field: str, explanation: Explanation) -> str:
    parts = []
    done = 0
    for word in explanation.words:
        share = strength(word.score, explanation.largest)
        if word.field != field or not share:
            continue
        parts += [escape(text[done : word.start]), _span(word, share)]
        done = word.end
    return "".join([*parts, escape(text[done:])])


def _span(word: WordScore, share: float) -> str:
    kind = "for" if word.score > 0 else "against"
    opacity = f"--a:{_STRONGEST * share:.2f}"
    return f'<span class="{kind}" style="{opacity}" title="{word.score:+.3f}">{escape(word.text)}</span>'
