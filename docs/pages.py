"""What mkdocs does to our pages, which are written for readers of the bare files too (`hooks` of mkdocs.yml).

The pages of the guide name the file that a block is to be written to behind its language; mkdocs shows it as a title.
Pictures become part of the page, so that the switch between light and dark reaches them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PICTURES = Path(__file__).with_name("pictures")
_NAMED_BLOCK = re.compile(r"^```(\w+) ([^\s=]+)$", re.MULTILINE)
_LANGUAGES = {"conll": "text", "jsonl": "json", "csv": "text"}
"""Kinds of files of the guide that the highlighter has no name for."""
_IMAGE = re.compile(r'<img alt="([^"]*)" src="(?:[^"]*/)?pictures/(\w+)\.svg"\s*/?>')


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn the name of a block's file into its title.

    >>> on_page_markdown("```csv questions.csv")
    '```text title="questions.csv"'
    """
    return _NAMED_BLOCK.sub(lambda found: f'```{_LANGUAGES.get(found[1], found[1])} title="{found[2]}"', markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Put the pictures into the page; with the alternative text for screen readers."""
    return _IMAGE.sub(lambda found: _inline(found[2], words=found[1]), html)


def _inline(name: str, *, words: str) -> str:
    svg = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{words}" ', 1)
