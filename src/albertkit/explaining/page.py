"""Explanations as one HTML file: no scripts, nothing loaded from elsewhere, light and dark."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from albertkit.explaining.explanation import Explanation, WordScore
from albertkit.explaining.terminal import strength
from albertkit.io.files import write_text
from albertkit.io.html import Html, joined, page, section, tag

_STYLE = """
section p { line-height: 1.8; white-space: pre-wrap; }
.for, .against { border-radius: .2rem; padding: .1rem .15rem; color: var(--ink); }
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
    sample = f"--a:{_STRONGEST}"
    legend = tag(
        "p",
        tag("span", "for the label", class_="for", style=sample),
        " raises it, ",
        tag("span", "against the label", class_="against", style=sample),
        " (dotted) lowers it; the stronger the colour, the more, measured by the strongest word of each text. "
        "Rest on a word to see its figure.",
        class_="faint",
    )
    return page(title, legend, *map(_section, explanations), style=_STYLE)


def write_page(explanations: Sequence[Explanation], *, path: str | os.PathLike[str], title: str) -> Path:
    """Write the page atomically and return its path.

    Raises:
        WriteError: the system refused.
    """
    write_text(path, explanation_page(explanations, title=title))
    return Path(path)


def _section(explanation: Explanation) -> Html:
    if explanation.label is None:
        head = f"value {explanation.base:.3f}"
    else:
        head = f"{explanation.label} {explanation.base:.1%}"
    fields = (("text", explanation.text), ("pair", explanation.pair))
    texts = [tag("p", _marked(text, field, explanation)) for field, text in fields if text is not None]
    figures = "; ".join(
        f"{what}: " + ", ".join(f"{word.text} {word.score:+.3f}" for word in words)
        for what, words in zip(("for", "against"), explanation.strongest(), strict=True)
        if words
    )
    facts = [f"{figures or 'no word changes the answer'} ({explanation.method})"]
    if explanation.unread:
        facts.append(f"not read, beyond the longest input: {explanation.unread} words")
    return section(head, *texts, *(tag("p", fact, class_="faint") for fact in facts))


def _marked(text: str, field: str, explanation: Explanation) -> Html:
    parts: list[str] = []
    done = 0
    for word in explanation.words:
        share = strength(word.score, explanation.largest)
        if word.field != field or not share:
            continue
        parts += [text[done : word.start], _span(word, share)]
        done = word.end
    return joined(*parts, text[done:])


def _span(word: WordScore, share: float) -> Html:
    kind = "for" if word.score > 0 else "against"
    opacity = f"--a:{_STRONGEST * share:.2f}"
    return tag("span", word.text, class_=kind, style=opacity, title=f"{word.score:+.3f}")
