"""Find words that make prose read like a translation, and name the plain one; `make lint` fails on them.

python docs/voice.py
"""

from __future__ import annotations

import re
import sys
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
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
ENDINGS = (".py", ".pyi", ".md", ".html", ".js")


def findings(root: Path = ROOT) -> list[str]:
    """Return place, word and plain word of every line with such a word, except in this file."""
    pages = [path for name in FOLDERS for path in sorted((root / name).rglob("*")) if path.suffix in ENDINGS]
    found = []
    for page in (*pages, *(root / name for name in PAGES)):
        if page.name == Path(__file__).name:
            continue
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            word = WORDS.search(line)
            if word and not any(part in line for part in EXCEPTIONS):
                plain = next(new for old, new in PLAIN.items() if re.match(old, line[word.start() :], re.IGNORECASE))
                found.append(f'{page.relative_to(root)}:{number}: "{word[0]}" (plain: {plain}): {line.strip()}')
    return found


if __name__ == "__main__":
    lines = findings()
    print(*lines, sep="\n", end="\n" * bool(lines))
    sys.exit(bool(lines))
