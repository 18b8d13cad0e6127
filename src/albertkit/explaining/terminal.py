"""An explanation on a terminal: the text with coloured words, and the strongest of them in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albertkit.explaining.explanation import Explanation

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# Backgrounds in three strengths, for the label and against it, all light enough for black letters.
_FINE = (("#d9f0d3", "#a6dba0", "#5aae61"), ("#fddbc7", "#f4a582", "#e08060"))
_SIXTEEN = (("green", "green", "bright_green"), ("red", "red", "bright_red"))  # of which pale ones would turn white
_LEAST = 0.1
"""Words below this share of the strongest one stay as they are."""


def strength(score: float, largest: float) -> float:
    """Return how strongly a word is coloured: its share of the largest score, in [0, 1]; 0 below a tenth.

    >>> strength(-0.2, 0.4), strength(0.01, 0.4), strength(0.0, 0.0)
    (0.5, 0.0, 0.0)
    """
    share = abs(score) / largest if largest else 0.0
    return share if share >= _LEAST else 0.0


def render(explanation: Explanation, *, console: Console) -> None:
    """Print an explanation: without colours the figures say the same.

    Args:
        explanation: what to print.
        console: where; a rich console.
    """
    for field, text in (("text", explanation.text), ("pair", explanation.pair)):
        if text:
            console.print(_coloured(text, field, explanation, console.color_system), soft_wrap=True)
    speaking_for, against = explanation.strongest()
    for what, words in (("for", speaking_for), ("against", against)):
        if words:
            named = "" if explanation.label is None else f" {explanation.label}"
            figures = ", ".join(f"{word.text} {word.score:+.3f}" for word in words)
            console.print(f"  {what}{named}: {figures}", markup=False, highlight=False, soft_wrap=True)
    if not explanation.largest:
        console.print("  no word changes the answer", markup=False, highlight=False)
    if explanation.unread:
        console.print(
            f"  not read, beyond the longest input: {explanation.unread} words", markup=False, highlight=False
        )


def _coloured(text: str, field: str, explanation: Explanation, colours: str | None) -> Text:
    from rich.text import Text

    palette = _FINE if colours in ("256", "truecolor") else _SIXTEEN
    shown = Text("  " + text)
    for word in explanation.words:
        share = strength(word.score, explanation.largest)
        if word.field == field and share:
            colour = palette[int(word.score < 0)][min(int(share * 3), 2)]
            shown.stylize(f"black on {colour}", word.start + 2, word.end + 2)
    return shown
