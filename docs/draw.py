"""Draw docs/pictures/*.svg; `--check` only tells whether they are current.

Each picture is 420 wide, so that its letters are still readable on a telephone, and takes its colours from variables:
the reader's system sets them where the file is opened by itself, the site's switch where `docs/pages.py` puts it into a page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).with_name("pictures")
WIDTH = 420

# ALBERT-base and the BERT of its shape (paper, table 1); the tests compare these with the network's own count.
VOCABULARY, HIDDEN, EMBEDDING, LAYERS = 30_000, 768, 128, 12
LAYER_PARAMETERS = 7_087_872
"""Attention, feed-forward and the two norms of one layer, biases included."""
LENGTHS = (26, 28, 18, 36, 23, 25, 14, 18)
"""Tokens of the first eight training texts of the `polarity` data, [CLS] and [SEP] included."""

FLOORS = (
    ("cli",),
    ("estimators",),
    ("training", "serving"),
    ("evaluation", "explaining", "auditing", "exporting", "scaling"),
    ("inference",),
    ("models",),
    ("tasks",),
    ("datasets",),
    ("hub", "data"),
    ("text", "encoder", "checkpoints", "scoring"),
    ("config", "registry", "batching", "hardware", "io", "graphs"),
    ("errors",),
)
"""The rooms of src/albertkit, top floor first; a test compares them with the imports."""

STYLE = """
.picture{--ink:#1b1f24;--soft:#57606a;--line:#8c959f;--paper:#f6f8fa;--blue:#2f6fb7;--pale:#8db8e6;--amber:#b35c00}
@media (prefers-color-scheme:dark){
.picture{--ink:#e6edf3;--soft:#a5afba;--line:#6e7681;--paper:#22272e;--blue:#6cb0f5;--pale:#2f5f91;--amber:#f0a04b}}
.picture text{font:13px system-ui,sans-serif;fill:var(--ink)}
.picture text.small{font-size:12px;fill:var(--soft)}
.picture text.head{font-weight:600}
.picture text.blue{fill:var(--blue)}
.picture text.amber{fill:var(--amber)}
.picture .box{fill:var(--paper);stroke:var(--line)}
.picture .blue-box{fill:var(--blue)}
.picture .pale-box{fill:var(--pale)}
.picture .amber-box{fill:none;stroke:var(--amber);stroke-width:2}
.picture .empty{fill:none;stroke:var(--line);stroke-dasharray:2 2}
.picture .arrow{fill:none;stroke:var(--soft);stroke-width:1.5}
.picture .tip{fill:var(--soft)}
"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """A line of text; `y` is its foot."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "box", corner: float = 0) -> str:
    """A rectangle."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{corner:g}" class="{kind}"/>'


def arrow(*points: tuple[float, float]) -> str:
    """A line through the points with a tip at the last one, which it reaches upwards, downwards or sideways."""
    (before_x, before_y), (x, y) = points[-2:]
    step_x, step_y = (x > before_x) - (x < before_x), (y > before_y) - (y < before_y)
    back_x, back_y = x - 7 * step_x, y - 7 * step_y
    tip = f"{x:g},{y:g} {back_x + 4 * step_y:g},{back_y + 4 * step_x:g} {back_x - 4 * step_y:g},{back_y - 4 * step_x:g}"
    path = " ".join(f"{px:g},{py:g}" for px, py in (*points[:-1], (back_x, back_y)))
    return f'<polyline points="{path}" class="arrow"/><polygon points="{tip}" class="tip"/>'


def embeddings() -> list[str]:
    """One wide table of word vectors next to a narrow one and a projection, widths and heights to scale."""
    across, down = 160 / HIDDEN, 190 / VOCABULARY
    narrow, flat = EMBEDDING * across, EMBEDDING * down
    whole, table, projection = VOCABULARY * HIDDEN, VOCABULARY * EMBEDDING, EMBEDDING * HIDDEN
    return [
        text(20, 20, "BERT", "head"),
        text(20, 38, "one table", "small"),
        box(20, 50, HIDDEN * across, VOCABULARY * down, "pale-box"),
        text(100, 140, f"{VOCABULARY:,} pieces", anchor="middle"),
        text(100, 158, f"× {HIDDEN}", anchor="middle"),
        text(100, 262, f"{whole:,} numbers", "head", "middle"),
        text(235, 20, "ALBERT", "head"),
        text(235, 38, "narrow table and projection", "small"),
        box(235, 50, narrow, VOCABULARY * down, "blue-box"),
        text(272, 110, f"{VOCABULARY:,} pieces × {EMBEDDING}"),
        text(272, 128, f"{table:,}", "small"),
        arrow((265, 200), (275, 200), (275, 217)),
        box(265, 220, 150, max(flat, 2), "blue-box"),
        text(285, 190, f"{EMBEDDING} × {HIDDEN}"),
        text(285, 208, f"{projection:,}", "small"),
        text(325, 262, f"{table + projection:,} numbers", "head", "middle"),
    ]


def layers() -> list[str]:
    """Twelve different layers next to one that runs twelve times."""
    rise, top = 19, 50
    stack = [box(20, top + rise * index, 160, rise - 5, "pale-box", 3) for index in range(LAYERS)]
    bottom = top + rise * LAYERS - 5
    middle = (top + bottom) / 2
    return [
        text(20, 20, "BERT", "head"),
        text(20, 38, f"{LAYERS} layers, {LAYERS} sets of weights", "small"),
        *stack,
        text(100, bottom + 24, f"{LAYERS} × {LAYER_PARAMETERS:,}", anchor="middle"),
        text(100, bottom + 43, f"= {LAYERS * LAYER_PARAMETERS:,}", "head", "middle"),
        text(265, 20, "ALBERT", "head"),
        text(265, 38, f"one layer, run {LAYERS} times", "small"),
        box(245, middle - 22, 130, 44, "blue-box", 3),
        arrow((310, bottom), (310, middle + 24)),
        arrow((310, middle - 22), (310, top + 14)),
        arrow((310, middle - 50), (398, middle - 50), (398, middle + 50), (312, middle + 50)),
        text(352, middle - 58, f"× {LAYERS}", "head"),
        text(310, bottom + 43, f"{LAYER_PARAMETERS:,}", "head", "middle"),
    ]


def packing() -> list[str]:
    """Eight texts padded to the longest, and the same in one row."""
    cell, across = 10, 10
    longest, tokens = max(LENGTHS), sum(LENGTHS)
    rows: list[str] = []
    for index, length in enumerate(LENGTHS):
        y = 50 + 14 * index
        rows += [box(30, y, length * across, cell, _shade(index))]
        if length < longest:
            rows += [box(30 + length * across, y, (longest - length) * across, cell, "empty")]
    foot = 50 + 14 * len(LENGTHS) + 16
    thin = longest * across / tokens
    start, row = 30.0, []
    for index, length in enumerate(LENGTHS):
        row.append(box(start, foot + 62, length * thin, 22, _shade(index)))
        start += length * thin
    padded = longest * len(LENGTHS)
    return [
        text(30, 20, "padded", "head"),
        text(30, 38, f"{len(LENGTHS)} texts as long as the longest, {longest} tokens", "small"),
        *rows,
        text(30, foot, f"{padded} places, {padded - tokens} of them ({1 - tokens / padded:.0%}) padding"),
        text(30, foot + 34, "packed", "head"),
        text(30, foot + 52, "one row, and the length of each text", "small"),
        *row,
        text(30, foot + 104, f"{tokens} places, no padding"),
    ]


def masking() -> list[str]:
    """A sentence with an n-gram of two words and one of a single word masked."""
    words = [["he", "opened", "the", "door", "of", "the"], ["old", "house", "and", "walked", "in"]]
    hidden = {(0, 2): "the", (0, 3): "door", (1, 3): "walked"}
    parts: list[str] = []
    for line, row in enumerate(words):
        x, y = 20.0, 52 + 74 * line
        for place, word in enumerate(row):
            masked = (line, place) in hidden
            width = 56 if masked else 18 + 8.0 * len(word)
            parts.append(box(x, y, width, 26, "amber-box" if masked else "box", 4))
            parts.append(text(x + width / 2, y + 18, "[MASK]" if masked else word, "amber" if masked else "", "middle"))
            if masked:
                parts.append(arrow((x + width / 2, y + 26), (x + width / 2, y + 38)))
                parts.append(text(x + width / 2, y + 51, word, "blue", "middle"))
            x += width + 6
    bars: list[str] = []
    for index, (words_long, share) in enumerate((("one word", 6), ("two words", 3), ("three words", 2))):
        y = 248 + 24 * index
        bars += [
            text(20, y + 13, words_long),
            box(110, y, share * 36, 16, "blue-box"),
            text(118 + share * 36, y + 13, f"{share} of 11", "small"),
        ]
    return [
        text(20, 20, "what is hidden: n-grams of whole words", "head"),
        text(20, 38, "the network names the hidden pieces", "small"),
        *parts,
        text(20, 222, "how long an n-gram is", "head"),
        text(20, 239, "n words with a probability in proportion to 1/n", "small"),
        *bars,
    ]


def order() -> list[str]:
    """Two segments of one document, in order and swapped."""

    def pair(y: float, first: str, second: str, answer: str) -> list[str]:
        swapped = answer == "swapped"
        return [
            box(20, y, 180, 30, "amber-box" if swapped else "box", 4),
            text(110, y + 20, first, anchor="middle"),
            box(206, y, 180, 30, "amber-box" if not swapped else "box", 4),
            text(296, y + 20, second, anchor="middle"),
            text(20, y + 50, "is it in order?", "small"),
            text(120, y + 50, answer, "head blue"),
        ]

    first, second = "He opened the door.", "Then he walked in."
    return [
        text(20, 20, "two adjacent segments of a text", "head"),
        *pair(36, first, second, "in order"),
        text(20, 126, "half of the time they change places", "head"),
        *pair(142, second, first, "swapped"),
    ]


def house() -> list[str]:
    """Every room on the floor above the highest room that it imports."""
    high, gap = 30, 6
    drawn = [text(20, 20, "A room imports only from the floors below it.", "small")]
    for floor, rooms in enumerate(FLOORS):
        y = 34 + floor * (high + gap)
        wide = (380 - gap * (len(rooms) - 1)) / len(rooms)
        for number, room in enumerate(rooms):
            x = 20 + number * (wide + gap)
            drawn += [box(x, y, wide, high, "box", 4), text(x + wide / 2, y + 20, room, "", "middle")]
    return drawn


PICTURES: dict[str, tuple[Callable[[], Sequence[str]], int]] = {
    "embeddings": (embeddings, 275),
    "layers": (layers, 332),
    "packing": (packing, 290),
    "masking": (masking, 325),
    "order": (order, 205),
    "house": (house, 474),
}
"""By name: what draws it, and its height."""


def picture(name: str) -> str:
    """Return the file of a picture."""
    draw, height = PICTURES[name]
    body = "\n".join(draw())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'class="picture">\n<style>{STYLE}</style>\n{body}\n</svg>\n'
    )


def _shade(index: int) -> str:
    return "blue-box" if index % 2 == 0 else "pale-box"


if __name__ == "__main__":
    old = [
        name
        for name in PICTURES
        if not (FOLDER / f"{name}.svg").is_file() or (FOLDER / f"{name}.svg").read_text("utf-8") != picture(name)
    ]
    if "--check" in sys.argv:
        sys.exit(f"run make docs: {', '.join(old)} not current" if old else 0)
    FOLDER.mkdir(exist_ok=True)
    for name in old:
        (FOLDER / f"{name}.svg").write_text(picture(name), encoding="utf-8")
