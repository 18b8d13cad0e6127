"""A small text with everything odd in it, and a tokenizer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from albertkit.text.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """The official vocabulary."""
    return Tokenizer.official()


@pytest.fixture(scope="session")
def text() -> bytes:
    """150 documents, 40 KB: stops, capitals, blank lines of several kinds, long lines, control characters."""
    draw = random.Random(3)
    words = 'the river of Mr. Smith ran 3.5 miles, no. 7 caf\u00e9 \u4e2d\u56fd "Why?" (U.S.) it\'s over etc. I'.split()
    lines: list[bytes] = []
    for number in range(150):
        for _ in range(draw.randrange(1, 6)):
            line = " ".join(draw.choice(words) + draw.choice(["", "", ".", "!"]) for _ in range(draw.randrange(1, 25)))
            lines.append(line.encode())
        if number % 20 == 3:
            lines[-1] += b" \xc3\xbf\xef\xbf\xbe \x00"
        lines.append(draw.choice([b"", b"\r", b" \t ", b"\n\n", "\u3000".encode()]))
    lines[400:400] = [b"", b"word " * 600, b"x" * 2500]
    return b"\n".join(lines)


@pytest.fixture
def files(text: bytes, tmp_path: Path) -> list[Path]:
    """The text in three files, cut between documents, and two small ones."""
    folder = tmp_path / "texts"
    folder.mkdir()
    cuts = [0, text.index(b"\n\n", 9_000), text.index(b"\n\n", 30_000), len(text)]
    parts = {f"{number}.txt": text[cuts[number] : cuts[number + 1]] for number in range(3)}
    parts["0a.txt"] = b"\xef\xbb\xbfOne. Two.\r\n\r\nThree."
    parts["0b.txt"] = b" \n\n"
    for name, content in parts.items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())
