"""Find words that make prose read like a translation, and name the plain one; `make lint` fails on them.

python docs/voice.py
"""

from __future__ import annotations

import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAIN = {
    r"stands?": "is, are",
    "shall": "must, will",
    "anew": "again",
    "goes on": "continues",
    "alone": "only",
    "beside": "next to, with",
    "likewise": "also",
    "passed over": "ignored, skipped",
    "anybody's": "any",
    "of one's own": "own",
    r"cannot be(?=[;:])": "is ...; it must be ...",
}
"""Word -> what to write instead."""
WORDS = re.compile(rf"\b(?:{'|'.join(PLAIN)})(?!\w)", re.IGNORECASE)
EXCEPTIONS = {
    '["It stands on a hill.", "It was sold in 1902."]': "an example sentence",
    "a dozen texts of several lengths, alone and in pairs": "a text that models read, whose numbers tests hold",
}
"""Part of a line -> why its word is right."""
FOLDERS = ("src", "docs")
"""Where every line counts."""
PROSE_ONLY = ("tests", "benchmarks", "examples")
"""Where comments, docstrings and Markdown count, and code does not."""
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
ENDINGS = (".py", ".pyi", ".md", ".html", ".js")


def findings(root: Path = ROOT) -> list[str]:
    """Return place, word and plain word of every line with such a word, except in this file."""
    pages = [path for name in FOLDERS for path in sorted((root / name).rglob("*")) if path.suffix in ENDINGS]
    code = [
        path for name in PROSE_ONLY for path in sorted((root / name).rglob("*")) if path.suffix in (*ENDINGS, ".ipynb")
    ]
    found = []
    for page in (*pages, *code, *(root / name for name in PAGES)):
        if page.name in (Path(__file__).name, "test_voice.py"):
            continue
        for number, line in prose_of(page) if page in code else lines_of(page):
            word = WORDS.search(line)
            if word and not any(part in line for part in EXCEPTIONS):
                plain = next(new for old, new in PLAIN.items() if re.match(old, line[word.start() :], re.IGNORECASE))
                found.append(f'{page.relative_to(root)}:{number}: "{word[0]}" (plain: {plain}): {line.strip()}')
    return found


def lines_of(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers."""
    return enumerate(page.read_text(encoding="utf-8").splitlines(), 1)


def prose_of(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and docstrings of a program, the Markdown of a notebook, and the lines of other files."""
    if page.suffix == ".ipynb":
        cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
        lines = (line for cell in cells if cell["cell_type"] == "markdown" for line in cell["source"])
        yield from enumerate(lines, 1)
    elif page.suffix != ".py":
        yield from lines_of(page)
    else:
        content = page.read_text(encoding="utf-8")
        begins = True  # of a statement: a string there is a docstring
        for token in tokenize.generate_tokens(io.StringIO(content).readline):
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and begins):
                yield from enumerate(token.string.splitlines(), token.start[0])
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                begins = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


if __name__ == "__main__":
    lines = findings()
    print(*lines, sep="\n", end="\n" * bool(lines))
    sys.exit(bool(lines))
